import { isObject, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/** Who holds a Lease, and what is to be written with it. */
export interface Holding {
  /** Empty: nobody. */
  readonly holder: string;
  readonly durationMs: number;
  /** Whether the holder is a new one. */
  readonly acquired: boolean;
}

/** A Lease (coordination.k8s.io/v1) that does not exist yet. */
export function newLease(namespace: string, name: string): JsonObject {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } };
}

/** The lease with its holder and times replaced, and everything else kept. */
export function withHolding(lease: JsonObject, { holder, durationMs, acquired }: Holding): JsonObject {
  const spec = objectAt(lease, 'spec');
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

/** Who holds the lease; empty for nobody. */
export function holderOf(lease: JsonObject): string {
  const holder = own(objectAt(lease, 'spec'), 'holderIdentity');
  return typeof holder === 'string' ? holder : '';
}

/** How long the lease holds after its last change, in milliseconds, or undefined where it does not say. */
export function durationOf(lease: JsonObject): number | undefined {
  const seconds = own(objectAt(lease, 'spec'), 'leaseDurationSeconds');
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}

/** The version of an object, or undefined where it has none. */
export function versionOf(object: unknown): string | undefined {
  const version = isObject(object) ? own(objectAt(object, 'metadata'), 'resourceVersion') : undefined;
  return typeof version === 'string' ? version : undefined;
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = own(object, key);
  return isObject(value) ? value : {};
}

/** Kubernetes' MicroTime: exactly six digits, or its decoder refuses the object. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
