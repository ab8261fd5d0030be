import { setTimeout as sleep } from 'node:timers/promises';
import { decide } from '../core/decide.ts';
import type { Annotate } from '../core/decision.ts';
import { openCluster } from './open-cluster.ts';
import type { Kube } from '../kube/client.ts';
import type { Rules } from '../core/rules/parse.ts';
import { createAsDryRun, DRY_RUN_IMAGE, dryRunPod, findProblem } from '../live/dry-run-pod.ts';
import { loadRules } from '../rules/load.ts';
import { UserError } from '../process/user-error.ts';
import { Command, contextOption, integer, kubeconfigOption, labels, nonEmpty, Option, option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('verify')
  .description('Creates a pod as a dry run and checks that the API server returns it annotated. `helm test` runs this.')
  .addOption(
    new Option(
      '-n, --namespace <name>',
      'opted-in namespace to test; defaults to the namespace of the context',
    ).argParser(nonEmpty),
  )
  .addOption(option('--rules <file>', 'rules file of the webhook; defaults to the shipped rules').argParser(nonEmpty))
  .addOption(
    option(
      '--labels <labels>',
      'comma-separated labels of the pod, such as tier=web, if the webhook selects pods by label',
    )
      .default({}, 'none')
      .argParser(labels),
  )
  .addOption(
    option('--image <image>', 'image of the pod, if a policy allows only some; it is never pulled')
      .default(DRY_RUN_IMAGE)
      .argParser(nonEmpty),
  )
  .addOption(option('--timeout-seconds <number>', 'seconds to keep trying').default(30).argParser(integer(1, 600)))
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addHelpText('after', examples(['Are new pods in this namespace annotated?', 'autoscrape verify -n shop']));

/** `autoscrape verify`. */
export const command = flags.action(async (options) => {
  process.exitCode = await verify(options);
});

/** The options of `autoscrape verify`. */
export type VerifyOptions = OptionsOf<typeof flags>;

const PAUSE_MS = 1_000;

/** Longest time for one request: a silent API server is asked again. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Creates a pod as a dry run and returns the exit code: 0 when the API server returns it with the
 * annotations of these rules, 1 when it doesn't within the time. It retries every failure: a new
 * namespace has no service account yet, and the API server takes seconds to notice its label.
 */
export async function verify(options: VerifyOptions): Promise<number> {
  const pod = dryRunPod(options);
  const rules = await loadRules(options.rules);
  // Wrong labels are an error whatever the namespace, and before a cluster is needed.
  decideOnPod(pod, rules, options.namespace);
  const kube = await openCluster(options);
  const namespace = options.namespace ?? kube.namespace;
  const decision = decideOnPod(pod, rules, namespace);
  const deadline = performance.now() + options.timeoutSeconds * 1000;
  try {
    for (;;) {
      const timeoutMs = Math.min(REQUEST_TIMEOUT_MS, Math.max(deadline - performance.now(), 1));
      const problem = await Promise.race([
        createPod(kube, namespace, pod, decision.annotations, timeoutMs),
        tooLate(deadline - performance.now()),
      ]);
      if (problem === undefined) {
        console.log(`A pod created in namespace ${namespace} gets:`);
        for (const [key, value] of Object.entries(decision.annotations)) console.log(`  ${key}: ${value}`);
        return 0;
      }
      if (performance.now() + PAUSE_MS > deadline) {
        console.error(`autoscrape: after ${options.timeoutSeconds} s: ${problem}`);
        return 1;
      }
      await sleep(PAUSE_MS);
    }
  } finally {
    await kube.close();
  }
}

function decideOnPod(pod: unknown, rules: Rules, namespace: string | undefined): Annotate {
  const decision = decide(pod, rules, { namespace });
  if (decision.outcome === 'annotate') return decision;
  throw new UserError(`these rules don't annotate the test pod: ${decision.reason}`);
}

/**
 * Returns a problem shortly after so many milliseconds: a kubeconfig may name a program that gets the
 * credentials, and no request's timeout ends that.
 */
async function tooLate(ms: number): Promise<string> {
  await sleep(ms + 200, undefined, { ref: false });
  return 'no answer yet; does the program in the kubeconfig that gets the credentials still run?';
}

/** Creates the pod as a dry run. Returns what is wrong with the result, or undefined. */
async function createPod(
  kube: Kube,
  namespace: string,
  pod: unknown,
  expected: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<string | undefined> {
  const created = await createAsDryRun(kube, namespace, pod, timeoutMs);
  if (created.ok) return findProblem(created.value, expected);
  const { status, message } = created.error;
  return status === 0 ? message : `the API server rejected the pod: ${message}`;
}
