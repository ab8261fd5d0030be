import type { DecidedEndpoint } from './additional-endpoints.ts';
import type { Precedence } from './rules/precedence.ts';
import type { SkipReason } from './skip-reason.ts';
import type { SuspectKind } from './suspect-annotations.ts';

interface Common {
  /**
   * Sentences for the person who applied the pod: one line each, at most 256 characters, no control
   * characters.
   */
  readonly warnings: readonly string[];
}

/** The pod gets annotations. */
export interface Annotate extends Common {
  readonly outcome: 'annotate';
  /**
   * The rule that found the endpoint, or `annotation` or `label` where the user named it and no
   * rule knows it.
   */
  readonly rule: string;
  /**
   * Every endpoint of the pod, at most one for each port. The keys that all scrapers read carry the
   * first.
   */
  readonly endpoints: readonly [DecidedEndpoint, ...DecidedEndpoint[]];
  /** Why the first endpoint comes before the others; undefined where it is the only one. */
  readonly because?: Precedence;
  /**
   * The annotations to add, none of which the pod has: scrape, port, path, perhaps scheme, and the
   * marker.
   */
  readonly annotations: Readonly<Record<string, string>>;
  /**
   * Whether the rule only hints (`confirm: true`), so that the endpoint is asked first where asking
   * is on.
   */
  readonly confirm: boolean;
}

/** The pod is not changed. */
export interface Skip extends Common {
  readonly outcome: 'skip';
  readonly reason: SkipReason;
  /**
   * The rule that found the endpoint which is not annotated (reasons `https_endpoint`,
   * `mesh_https`, `to_be_asked`), or that says why there is none (`switched_off`, `unreachable`,
   * `guarded`, `served_elsewhere`).
   */
  readonly rule?: string;
  /** What is probably wrong with annotations written by hand (reason `already_annotated`). */
  readonly suspects?: readonly SuspectKind[];
}

/** What to do with a pod: the contract between the core and its adapters. */
export type Decision = Annotate | Skip;

/** Returns the decision to skip the pod. */
export function skip(reason: SkipReason, ...warnings: readonly string[]): Skip {
  return { outcome: 'skip', reason, warnings };
}

/** Returns the decision to skip a pod of which the rule says something. */
export function skipFound(reason: SkipReason, rule: string): Skip {
  return { outcome: 'skip', reason, rule, warnings: [] };
}
