import { decide } from '../src/core/decide.ts';
import { defaultRules } from '../src/rules/shipped.ts';
import { annotated, podOf } from './pod.ts';
import { quantile, shuffled, table } from './statistics.ts';

const ROUNDS = 300;
const CALLS = 100;

/** Calls of each kind whose code and data have left the CPU's own caches, and more bytes than these hold. */
const COLD_CALLS = 300;
const otherData = new Uint8Array(24 * 1024 * 1024);

/**
 * Returns a table of what one decision costs, by what it comes to, in microseconds and as a ratio to what parsing the pod's JSON takes in the same
 * round, which the machine's speed doesn't move; what the first call takes after other work, as most of an API server's calls are; and a
 * line on what the rules cost at start.
 */
export function benchDecide(): string {
  const started = performance.now();
  const rules = defaultRules();
  const startUp = performance.now() - started;
  const kinds = {
    'a port named `metrics` (the first rules)': annotated,
    'an image of the catalogue': podOf({ image: 'grafana/grafana:12.3.0', port: { containerPort: 3000 } }),
    'nothing to be found': podOf(),
  };
  const bytes = Object.values(kinds).map((pod) => JSON.stringify(pod));
  // Each call gets an object of its own, as each review brings one.
  const subjects = bytes.map((text) => Array.from({ length: CALLS }, (): unknown => JSON.parse(text)));
  const costs = bytes.map((): number[] => []);
  const ratios = bytes.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of shuffled([...subjects.keys()])) {
      const begin = performance.now();
      for (const pod of subjects[kind] ?? []) decide(pod, rules);
      const decided = performance.now();
      for (let call = 0; call < CALLS; call += 1) JSON.parse(bytes[kind] ?? '');
      const parsed = performance.now();
      if (round < ROUNDS / 3) continue; // the first rounds are the compiler's
      costs[kind]?.push(((decided - begin) * 1000) / CALLS);
      ratios[kind]?.push((decided - begin) / (parsed - decided));
    }
  }
  const rows = Object.entries(kinds).map(([kind, pod], i) => {
    const decision = decide(pod, rules);
    const verdict = decision.outcome === 'annotate' ? decision.rule : decision.reason;
    const cost = costs[i] ?? [];
    const ratio = quantile(ratios[i] ?? [], 0.5).toFixed(2);
    const cold = Array.from({ length: COLD_CALLS }, () => afterOtherWork(() => decide(pod, rules)));
    return [
      kind,
      verdict,
      ...[quantile(cost, 0.5), quantile(cost, 0.95)].map((µs) => µs.toFixed(1)),
      ratio,
      quantile(cold, 0.5).toFixed(0),
    ];
  });
  return [
    `One decision on a pod of ${((bytes[0] ?? '').length / 1024).toFixed(1)} KiB, in µs:\n`,
    table([['pod', 'decision', 'median', 'p95', '÷ parsing its JSON', 'median after other work'], ...rows]),
    `\nReading and checking the shipped rules and the catalogue at start: ${startUp.toFixed(0)} ms.`,
  ].join('\n');
}

/** Returns the microseconds of the call once other data has taken the place of its own in the CPU's caches. */
function afterOtherWork(call: () => void): number {
  for (let at = 0; at < otherData.length; at += 64) otherData[at] = at;
  const begin = performance.now();
  call();
  return (performance.now() - begin) * 1000;
}
