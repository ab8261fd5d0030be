import { member, objectIn, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/** Who holds a Lease, and what is to be written with it. */
export interface Holding {
  /** Empty: nobody. */
  readonly holder: string;
  readonly durationMs: number;
  /** Whether the holder is new. */
  readonly acquired: boolean;
}

/** Returns a Lease (coordination.k8s.io/v1) that does not exist yet. */
export function newLease(namespace: string, name: string): JsonObject {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } };
}

/** Returns the lease with its holder and times replaced, and everything else kept. */
export function withHolding(lease: JsonObject, { holder, durationMs, acquired }: Holding): JsonObject {
  const spec = objectIn(lease, 'spec');
  const transitions = own(spec, 'leaseTransitions');
  const now = microTime();
  return {
    ...lease,
    spec: {
      ...spec,
      ...(acquired
        ? { acquireTime: now, leaseTransitions: typeof transitions === 'number' ? transitions + 1 : 0 }
        : {}),
      holderIdentity: holder,
      leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1000)),
      renewTime: now,
    },
  };
}

/** Returns who holds the lease; empty for nobody. */
export function holderOf(lease: JsonObject): string {
  const holder = own(objectIn(lease, 'spec'), 'holderIdentity');
  return typeof holder === 'string' ? holder : '';
}

/**
 * Returns how long the lease is valid after its last renewal, in milliseconds, or undefined where
 * it does not say.
 */
export function durationOf(lease: JsonObject): number | undefined {
  const seconds = own(objectIn(lease, 'spec'), 'leaseDurationSeconds');
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}

/** Returns the version of an object, or undefined where it has none. */
export function versionOf(object: unknown): string | undefined {
  const version = member(member(object, 'metadata'), 'resourceVersion');
  return typeof version === 'string' ? version : undefined;
}

/**
 * Returns the time as Kubernetes' MicroTime: exactly six digits, or its decoder refuses the object.
 */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
