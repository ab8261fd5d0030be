import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { kinds, podSpec } from '../installation/kind-pods.ts';
import type { KindContainer } from '../installation/kind-pods.ts';
import { namespace, workload } from '../installation/workload.ts';

/** The opted-in namespace of pods with a fault, and of one without. */
export const FAULTS = 'faults';

/** The same, without the label. */
export const UNLABELLED = 'faults-unlabelled';

/** An opted-in namespace in which all is well. */
export const HEALTHY = 'faults-healthy';

/** A pod of {@link FAULTS} that has no fault: what is wrong around it shows at it. */
export const ORDERS = 'orders';

/** The annotations of an author for the port that all of them serve at. */
export const SCRAPE = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };

/** A pod of a kind of server. */
export interface FaultPod extends KindContainer {
  readonly name: string;
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Fields of the specification that are to be different. */
  readonly spec?: object;
}

/** Returns the pod; without other annotations it has {@link SCRAPE}. */
export function faultPod(pod: FaultPod): unknown {
  const { name, labels, annotations = SCRAPE, namespace: of = FAULTS, spec } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: of, labels: { app: name, ...labels }, annotations },
    spec: { ...podSpec(pod), ...spec },
  };
}

/** Returns the namespaces of the pods, with the servers' program and a certificate, and the pod without a fault. */
export function surroundings(): readonly unknown[] {
  const { certificate, key } = createAuthority().issue({ names: ['shop.example'] });
  const files = { 'tls.crt': certificate, 'tls.key': key };
  return [
    namespace(FAULTS),
    namespace(UNLABELLED, {}),
    namespace(HEALTHY),
    kinds(FAULTS, files),
    kinds(UNLABELLED, files),
    faultPod({ name: ORDERS, kind: 'metrics' }),
    workload(HEALTHY, 'healthy'),
  ];
}
