import type { Setup } from '../installation/setup.ts';
import { apply } from '../installation/workload.ts';

/** A kind of custom resource. */
export interface CustomKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
}

const MONITORING = { group: 'monitoring.coreos.com', version: 'v1' };

/** What doctor reads of the Prometheus Operator and of Istio. Their own definitions check more, which nothing here needs. */
export const CUSTOM_KINDS: readonly CustomKind[] = [
  { ...MONITORING, kind: 'Prometheus', plural: 'prometheuses' },
  { ...MONITORING, kind: 'ServiceMonitor', plural: 'servicemonitors' },
  { ...MONITORING, kind: 'PodMonitor', plural: 'podmonitors' },
  { ...MONITORING, version: 'v1alpha1', kind: 'ScrapeConfig', plural: 'scrapeconfigs' },
];

/** The kind of Istio's policies for mutual TLS. */
export const PEER_AUTHENTICATION: CustomKind = {
  group: 'security.istio.io',
  version: 'v1',
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
};

/** Defines the kinds that the cluster doesn't have, and returns what takes them away with all of their objects. */
export async function defineKinds(setup: Setup, kinds: readonly CustomKind[]): Promise<() => Promise<unknown>> {
  const names = await Promise.all(
    kinds.map(async (kind) => {
      const name = `${kind.plural}.${kind.group}`;
      const { status } = await setup.request('GET', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
      return status === 404 ? [{ name, definition: definition(name, kind) }] : [];
    }),
  );
  const missing = names.flat();
  if (missing.length === 0) return () => Promise.resolve();
  const named = missing.map(({ name }) => `crd/${name}`);
  await apply(setup, ...missing.map((each) => each.definition));
  await setup.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...named]);
  return () => setup.kubectl(['delete', ...named]);
}

function definition(name: string, { group, version, kind, plural }: CustomKind): unknown {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
}
