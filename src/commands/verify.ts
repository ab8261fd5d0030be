import { setTimeout as sleep } from 'node:timers/promises';
import { decide } from '../core/decide.ts';
import { isObject, own } from '../core/json.ts';
import { podsPath } from '../kube/api-paths.ts';
import { connect } from '../kube/client.ts';
import type { Kube } from '../kube/client.ts';
import { loadRules } from '../rules/load.ts';
import { UserError } from '../process/user-error.ts';
import { Command, contextOption, integer, kubeconfigOption, labels, nonEmpty, Option, option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './usage.ts';

const flags = new Command('verify')
  .description(
    'Sends a pod to the API server as a dry run and checks that it comes back with annotations: what `helm test` runs.',
  )
  .addOption(
    new Option('-n, --namespace <name>', 'an opted-in namespace; without it that of the context').argParser(nonEmpty),
  )
  .addOption(
    option('--rules <file>', 'rules file that the webhook has; without it the shipped rules').argParser(nonEmpty),
  )
  .addOption(
    option(
      '--labels <labels>',
      'labels of the pod, where the webhook is asked about certain ones only; such as tier=web',
    )
      .default({}, 'none')
      .argParser(labels),
  )
  .addOption(
    option('--image <image>', 'image of the pod, which nobody pulls, where policies allow certain ones only')
      .default('registry.k8s.io/pause:3.10')
      .argParser(nonEmpty),
  )
  .addOption(option('--timeout-seconds <number>', 'how long to try').default(30).argParser(integer(1, 600)))
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addHelpText('after', examples(['Are new pods annotated here?', 'autoscrape verify -n shop']));

/** `autoscrape verify`. */
export const command = flags.action(async (options) => {
  process.exitCode = await verify(options);
});

/** What `autoscrape verify` is told. */
export type VerifyOptions = OptionsOf<typeof flags>;

const PAUSE_MS = 1_000;

/**
 * The pod that is sent. Its own label makes every rules file annotate it: what is tested is the installation, not the rules.
 * It keeps to the "restricted" pod security standard and states resources, as admission policies commonly ask, and no user
 * id, which OpenShift takes from each namespace's own range only.
 */
function testPod({ labels, image }: VerifyOptions) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'autoscrape-verify-', labels: { 'autoscrape.io/port': 'metrics', ...labels } },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image,
          ports: [{ name: 'metrics', containerPort: 9464 }],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '10m', memory: '8Mi' } },
        },
      ],
    },
  };
}

/**
 * Exit code 0 when a pod created in the namespace, as a dry run, comes back from the API server with the annotations that
 * these rules give it; 1, and why, when it doesn't within the time. A namespace made a moment ago has no service account
 * yet, and the API server takes seconds to notice its label: so every failure is tried again.
 */
export async function verify(options: VerifyOptions): Promise<number> {
  const pod = testPod(options);
  const decision = decide(pod, await loadRules(options.rules));
  if (decision.outcome === 'skip') throw new UserError(`these rules don't annotate the test's pod: ${decision.reason}`);
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.error);
  const kube = connection.value;
  const namespace = options.namespace ?? kube.namespace;
  const deadline = performance.now() + options.timeoutSeconds * 1000;
  try {
    for (;;) {
      const fault = await createPod(kube, namespace, pod, decision.annotations);
      if (fault === undefined) {
        console.log(`A pod created in namespace ${namespace} gets:`);
        for (const [key, value] of Object.entries(decision.annotations)) console.log(`  ${key}: ${value}`);
        return 0;
      }
      if (performance.now() + PAUSE_MS > deadline) {
        console.error(`autoscrape: after ${options.timeoutSeconds} s: ${fault}`);
        return 1;
      }
      await sleep(PAUSE_MS);
    }
  } finally {
    await kube.close();
  }
}

/** What is wrong with a pod that the API server would create, in a sentence; undefined when it is as it should be. */
async function createPod(
  kube: Kube,
  namespace: string,
  pod: unknown,
  expected: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const path = podsPath(namespace);
  const created = await kube.request({ method: 'POST', path, query: { dryRun: 'All' }, body: pod });
  if (created.ok) return findFault(created.value, expected);
  const { status, message } = created.error;
  return status === 0 ? message : `the API server refuses the pod: ${message}`;
}

/** What is wrong with the annotations of a pod that came back, in a sentence; undefined when none is missing or differs. */
export function findFault(pod: unknown, expected: Readonly<Record<string, string>>): string | undefined {
  const metadata = isObject(pod) ? own(pod, 'metadata') : undefined;
  const found = isObject(metadata) ? own(metadata, 'annotations') : undefined;
  const annotations = isObject(found) ? found : {};
  const wrong = Object.entries(expected).filter(([key, value]) => annotations[key] !== value);
  if (wrong.length === 0) return undefined;
  if (wrong.length === Object.keys(expected).length && wrong.every(([key]) => annotations[key] === undefined)) {
    return [
      'the pod comes back without annotations, so the API server did not ask the webhook, got no answer, or the webhook only observes.',
      'See whether its pods are ready (kubectl get pods -l app.kubernetes.io/component=webhook -A), and in',
      'kubectl get mutatingwebhookconfigurations -l app.kubernetes.io/name=autoscrape -o yaml whether caBundle is filled in,',
      'whether namespaceSelector takes the namespace (by default by its label autoscrape.io/inject, enabled or true), and whether',
      "objectSelector and matchConditions take the pod, to which --labels (the chart's test.podLabels) adds labels.",
    ].join('\n');
  }
  const differences = wrong.map(([key, value]) => {
    const actual = annotations[key];
    return `${key} is ${actual === undefined ? 'missing' : JSON.stringify(actual)}, not ${JSON.stringify(value)}`;
  });
  return `the annotations are not those of these rules: ${differences.join('; ')}`;
}
