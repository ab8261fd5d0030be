import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import type { KubernetesObject } from '../control-plane/api-client.ts';
import { RELEASE } from '../installation/helm.ts';
import { installed } from '../installation/setup.ts';
import type { Setup } from '../installation/setup.ts';
import { apply } from '../installation/workload.ts';
import { waitFor } from '../process/wait-for.ts';
import type { Fault } from './fault.ts';
import { HEALTHY } from './fault-pods.ts';

const CONFIGURATION = 'mutatingwebhookconfiguration/autoscrape';
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
const INJECT = 'cert-manager.io/inject-ca-from';

/** A fault that shows in a namespace where all pods are well. */
function installation(fault: Pick<Fault, 'name' | 'ids' | 'remedy' | 'usually' | 'make'>): Fault {
  return { ...fault, part: 'installation', args: ['--namespace', HEALTHY] };
}

/** What can be wrong with what the chart installs. */
export const INSTALLATION_FAULTS: readonly Fault[] = [
  installation({
    name: 'a CA that does not match',
    ids: ['webhook-ca-mismatch'],
    remedy: /caBundle/,
    usually: true,
    make: (setup) => withCa(setup, Buffer.from(createAuthority().certificate).toString('base64')),
  }),
  installation({
    name: 'no CA at all',
    ids: ['webhook-ca-missing'],
    remedy: /cainjector/,
    make: (setup) => withCa(setup, undefined),
  }),
  installation({
    name: 'the webhook scaled to 0',
    ids: ['webhook-not-ready'],
    remedy: /kubectl get deployment,pods -n autoscrape/,
    usually: true,
    make: (setup) => withoutReplicas(setup, 'webhook', 2),
  }),
  installation({
    name: "the webhook's configuration deleted",
    ids: ['webhook-not-configured'],
    remedy: /helm upgrade autoscrape/,
    async make({ kubectl, helm }) {
      await kubectl(['delete', CONFIGURATION]);
      return () => helm.upgrade('--reset-then-reuse-values');
    },
  }),
  installation({
    name: "the webhook's configuration sorted after Istio's",
    ids: ['webhook-after-istio'],
    remedy: /begins with "autoscrape"/,
    make: sortAfterIstio,
  }),
  installation({
    name: 'rules that are not valid',
    ids: ['rules-invalid'],
    remedy: /autoscrape check/,
    async make({ kubectl, helm }) {
      const data = { 'rules.yaml': 'rules:\n  - name: ours\n    wen: { portName: metrics }\n' };
      await kubectl([...inRelease('patch'), 'configmap/autoscrape-rules', '--patch', JSON.stringify({ data })]);
      return () => helm.upgrade('--reset-then-reuse-values', '--force-conflicts');
    },
  }),
  installation({
    name: 'a reconciler without rights',
    ids: ['reconciler-no-rights'],
    remedy: /ClusterRoleBinding/,
    make: (setup) => without(setup, 'clusterrolebinding/autoscrape-reconciler'),
  }),
  installation({
    name: 'no reconciler',
    ids: ['reconciler-not-leading'],
    remedy: /component=reconciler/,
    make: (setup) => withoutReplicas(setup, 'reconciler', 1),
  }),
  installation({
    name: "the reconciler's policy not bound",
    ids: ['guard-not-bound'],
    remedy: /helm upgrade/,
    make: (setup) => without(setup, 'validatingadmissionpolicybinding/autoscrape-reconciler'),
  }),
  installation({
    name: 'a webhook of another version',
    ids: ['versions-differ'],
    remedy: /version of the webhook/,
    async make({ kubectl, helm }) {
      await kubectl([
        ...inRelease('label'),
        '--overwrite',
        'deployment/autoscrape-webhook',
        'app.kubernetes.io/version=0.0.1',
      ]);
      return () => helm.upgrade('--reset-then-reuse-values', '--force-conflicts');
    },
  }),
  installation({
    name: 'an expired certificate',
    ids: ['webhook-certificate-expired'],
    remedy: /renewed/,
    make: serveExpired,
  }),
];

function inRelease(verb: string): readonly string[] {
  return [verb, `--namespace=${RELEASE}`];
}

interface Trusting {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}

/** Has the API server trust another CA, or none, while cainjector does not look. */
async function withCa({ request }: Setup, caBundle: string | undefined): Promise<() => Promise<unknown>> {
  const path = `${CONFIGURATIONS}/autoscrape`;
  const { body: before } = await request<Trusting>('GET', path);
  const trust = (bundles: readonly (string | undefined)[], annotation: string | null): Promise<unknown> =>
    request('PATCH', path, {
      metadata: { annotations: { [INJECT]: annotation } },
      // A merge patch has lists whole.
      webhooks: before.webhooks.map((webhook, index) => ({
        ...webhook,
        clientConfig: { ...webhook.clientConfig, caBundle: bundles[index] },
      })),
    });
  await waitFor(
    'cainjector to leave it alone',
    async () => {
      await trust(
        before.webhooks.map(() => caBundle),
        null,
      );
      // What it was about to write, it writes.
      await sleep(1000);
      const { body } = await request<Trusting>('GET', path);
      return body.webhooks.every(({ clientConfig }) => clientConfig.caBundle === caBundle);
    },
    { everyMs: 0 },
  );
  const bundles = before.webhooks.map(({ clientConfig }) => clientConfig.caBundle);
  return () => trust(bundles, `${RELEASE}/autoscrape-webhook`);
}

async function withoutReplicas({ kubectl }: Setup, component: string, before: number): Promise<() => Promise<unknown>> {
  const scale = (replicas: number): Promise<string> =>
    kubectl([...inRelease('scale'), `deployment/autoscrape-${component}`, `--replicas=${replicas}`]);
  await scale(0);
  return async () => {
    await scale(before);
    await kubectl([...inRelease('rollout'), 'status', `deployment/autoscrape-${component}`]);
  };
}

/** Deletes an object, and returns what makes it again. */
async function without({ kubectl }: Setup, object: string): Promise<() => Promise<unknown>> {
  const saved = await kubectl(['get', object, '--output=json', '--show-managed-fields']);
  await kubectl(['delete', object]);
  return () => kubectl(['create', '--filename=-'], asNew(JSON.parse(saved)));
}

/** Returns an object to create, without what the API server gave it. */
function asNew(object: KubernetesObject, name = object.metadata?.name ?? ''): string {
  const { labels, annotations } = object.metadata ?? {};
  return JSON.stringify({ ...object, metadata: { name, labels, annotations } });
}

/** Puts Istio's injector, which selects nothing, before the webhook, whose configuration gets another name. */
async function sortAfterIstio({ kubectl, helm }: Setup): Promise<() => Promise<unknown>> {
  const saved: KubernetesObject = JSON.parse(await kubectl(['get', CONFIGURATION, '--output=json']));
  const istio = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'istio-sidecar-injector', labels: { app: 'sidecar-injector' } },
    webhooks: [
      {
        name: 'namespace.sidecar-injector.istio.io',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Ignore',
        clientConfig: { service: { namespace: RELEASE, name: 'istiod' } },
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
        namespaceSelector: { matchLabels: { 'istio-injection': 'enabled' } },
      },
    ],
  };
  await kubectl(['create', '--filename=-'], JSON.stringify(istio));
  await kubectl(['create', '--filename=-'], asNew(saved, 'scrape'));
  await kubectl(['delete', CONFIGURATION]);
  return async () => {
    await kubectl(['delete', 'mutatingwebhookconfiguration', 'istio-sidecar-injector', 'scrape']);
    await helm.upgrade('--reset-then-reuse-values');
  };
}

/** Installs the chart again, with a certificate that has expired: one that runs keeps an older one that has not. */
async function serveExpired(setup: Setup): Promise<() => Promise<unknown>> {
  const authority = createAuthority();
  const day = 24 * 60 * 60_000;
  const { certificate, key } = authority.issue({
    names: [`autoscrape-webhook.${RELEASE}.svc`],
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  });
  await setup.helm.uninstall();
  await apply(setup, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'expired', namespace: RELEASE },
    stringData: { 'tls.crt': certificate, 'tls.key': key },
  });
  const file = join(setup.directory, 'ca-of-expired.crt');
  await writeFile(file, authority.certificate);
  await setup.helm.install(
    '--set=certificates.mode=existingSecret',
    '--set=certificates.existingSecret.name=expired',
    `--set-file=certificates.caBundle=${file}`,
  );
  return async () => {
    await setup.helm.uninstall();
    await installed(setup);
  };
}
