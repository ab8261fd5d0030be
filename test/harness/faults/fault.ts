import type { FindingId } from '../../../src/doctor/finding.ts';
import { runAutoscrape } from '../autoscrape/run-autoscrape.ts';
import type { Setup } from '../installation/setup.ts';

/** Which part of a pod's way to its series is broken, in the order of that way. */
export type Part = 'pod' | 'endpoint' | 'scraper' | 'installation';

/** Something that is made wrong, and what `autoscrape doctor` has to say of it. */
export interface Fault {
  /** What is wrong; unique. */
  readonly name: string;
  readonly part: Part;
  /** The ids that are named: the cause first, then what follows from it, and no others. */
  readonly ids: readonly [FindingId, ...FindingId[]];
  /** What is to be done about the cause. */
  readonly remedy: RegExp;
  /** What doctor is asked. */
  readonly args: readonly string[];
  /** Objects that are wrong by themselves, and in nobody's way: they are there from the beginning. */
  readonly objects?: readonly unknown[];
  /** Makes it, where it is in the way of others, and returns what takes it back. */
  readonly make?: (setup: Setup) => Promise<() => Promise<unknown>>;
  /** Whether it is part of every run of the cluster tests; the others are part of `--all`. */
  readonly usually?: boolean;
}

/** A finding, as doctor's JSON has it. */
export interface Named {
  readonly id: string;
  readonly because: string;
  readonly todo: string;
}

/** What doctor has said. */
export interface Said {
  readonly code: unknown;
  /** Each id once, in the order of their first lines. */
  readonly named: readonly Named[];
  /** What it could not look at. */
  readonly unchecked: readonly string[];
  /** All of it, for whom a test fails. */
  readonly text: string;
}

interface Check {
  readonly state: string;
  readonly id: string | null;
  readonly title: string;
  readonly because: string | null;
  readonly todo: string | null;
  readonly needs: string | null;
}

/** Runs `autoscrape doctor` on the cluster and returns what it says. */
export async function askDoctor({ kubeconfig }: Pick<Setup, 'kubeconfig'>, args: readonly string[]): Promise<Said> {
  const { code, stdout, stderr } = await runAutoscrape(['doctor', ...args, '-o', 'json', '--kubeconfig', kubeconfig]);
  const text = stdout + stderr;
  if (stdout === '') return { code, named: [], unchecked: [], text };
  const checks = checksIn(JSON.parse(stdout));
  const named = new Map<string, Named>();
  for (const { id, because, todo } of checks)
    if (id !== null && !named.has(id)) named.set(id, { id, because: because ?? '', todo: todo ?? '' });
  const unchecked = checks
    .filter(({ state }) => state === 'unchecked')
    .map(({ title, needs }) => `${title} (needs ${needs ?? ''})`);
  return { code, named: [...named.values()], unchecked, text };
}

/** Returns the checks of every section of a report, in their order. */
function checksIn(value: unknown): Check[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    key === 'checks' ? (inner as Check[]) : checksIn(inner),
  );
}
