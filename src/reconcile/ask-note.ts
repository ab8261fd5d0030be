import type { AskPlan } from './ask-plan.ts';
import type { Annotated } from './decide-asked.ts';

/** What asking needs to know of a pod besides its state. */
export interface AskNote {
  readonly plan: AskPlan;
  /** The key of its workload; undefined while the pod is not running and ready. */
  readonly key: string | undefined;
  /** Unix time in milliseconds from which it may be asked; undefined while it is not ready. */
  readonly from: number | undefined;
  /** Where its annotations by autoscrape say that its metrics are; undefined without them. */
  readonly annotated: Annotated | undefined;
  /** Whether it is annotated because its owner's other pods had metrics there. */
  readonly onTrust: boolean;
}
