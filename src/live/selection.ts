import type { ObjectName } from './object-names.ts';

/** Which objects of the cluster are meant, as kubectl's arguments and flags say it. */
export interface Selection<Target = ObjectName> {
  /** None means all of the namespace. */
  readonly targets: readonly Target[];
  /** Undefined means all. */
  readonly namespace: string | undefined;
  /** A label selector, as kubectl takes it. */
  readonly selector: string | undefined;
}
