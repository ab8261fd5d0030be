import { MAX_STEPS } from '../../../src/core/limits.ts';
import { decide } from '../../../src/core/decide.ts';
import { literalsOf } from '../../../src/core/rules/literal-prefilter.ts';
import { compilePattern } from '../../../src/core/rules/re2-pattern.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { startWork } from '../../../src/core/step-budget.ts';
import { MAX_BODY_BYTES } from '../../../src/webhook/request-limits.ts';
import { exceededJsonLimit } from '../../../src/webhook/json-limits.ts';

/*
 * A search for the pod that costs a decision the most: it changes and grows pods within the webhook's limits towards more steps and
 * more time. It looks for three faults:
 *
 * - a pod on which more steps are spent than a decision may take;
 * - steps that grow faster than the pod, which is how a product of two of its lists shows;
 * - time that the steps don't tell, which is how work shows that nobody counts: many times what as many steps take elsewhere. It is
 *   the thread's own CPU time, as a ratio within one run, with a large margin.
 */

/** What a pod is made of: how many of each, how long, and what they say (`#` is an item's number, `~` its filling). */
interface Genes {
  readonly counts: Readonly<Record<Count, number>>;
  readonly texts: Readonly<Record<Text, string>>;
}

const COUNTS = {
  containers: 256,
  sidecars: 256,
  ports: 1000,
  udpPorts: 40_000,
  words: 130_000,
  otherWords: 130_000,
  wordLength: 4200,
  variables: 40_000,
  valueLength: 4200,
  probes: 3,
  probeLength: 4200,
  labels: 60_000,
  ruleLength: 3_000_000,
  annotations: 60_000,
  annotationLength: 3_000_000,
  markerLength: 3_000_000,
  scriptLength: 3_000_000,
  imageLength: 4096,
} as const;
type Count = keyof typeof COUNTS;
const NAMES = Object.keys(COUNTS) as Count[];

/** What is tried at most where the limit alone would leave room for nothing else. */
const SENSIBLE: Partial<Record<Count, number>> = {
  words: 4000,
  otherWords: 4000,
  variables: 25_000,
  labels: 30_000,
  annotations: 30_000,
  udpPorts: 25_000,
};

const TEXTS = ['portName', 'word', 'otherWord', 'variable', 'probe', 'rule', 'annotation', 'image', 'script'] as const;
type Text = (typeof TEXTS)[number];

/** What was found out about a pod. */
export interface Weighed {
  readonly genes: Genes;
  readonly bytes: number;
  readonly steps: number;
  readonly milliseconds: number;
}

/** What the search came to. */
export interface Findings {
  readonly tried: number;
  readonly mostSteps: Weighed;
  readonly mostTime: Weighed;
  /** What the machine takes for a million steps of the pod that time is compared with. */
  readonly millisecondsAMillion: number;
  /** What is wrong, in sentences; the search ends with the first. */
  readonly faults: readonly string[];
}

/** A decision may take no more than this times what as many steps take of the pod that time is compared with. */
const TOO_SLOW = 12;

/** Steps grow no faster than the pod, but for what a pod of a quarter of the size doesn't reach. */
const TOO_STEEP = 1.5;

/** Fewer steps than these tell nothing: a rule more or less is looked at. */
const TELLING = MAX_STEPS / 20;

/** Steps that are counted at most: without a bound, a product of two lists would take minutes to count. */
const COUNTED = 20 * MAX_STEPS;

/**
 * Returns what is found from one seed, on so many hills. Each hill begins with a pod that has a little of one to three things, grows all of
 * them fourfold as long as the webhook would read the pod, and then tries other texts and other counts around the worst size.
 */
export function searchWorstPod(rules: Rules, seed: number, hills: number): Findings {
  const random = generator(seed);
  const vocabulary = vocabularyOf(rules);
  const millisecondsAMillion = calibrate(rules);
  const faults: string[] = [];
  let tried = 0;
  let mostSteps: Weighed | undefined;
  let mostTime: Weighed | undefined;
  const look = (genes: Genes): Weighed | undefined => {
    const weighed = weigh(genes, rules);
    if (weighed === undefined) return undefined;
    tried += 1;
    if (mostSteps === undefined || weighed.steps > mostSteps.steps) mostSteps = weighed;
    if (mostTime === undefined || weighed.milliseconds > mostTime.milliseconds) mostTime = weighed;
    faults.push(...slowness(weighed, rules, millisecondsAMillion));
    return weighed;
  };
  for (let hill = 0; hill < hills && faults.length === 0; hill += 1) {
    const focus = list(1 + random(3), () => pick(NAMES, random));
    let top: Weighed | undefined;
    for (let part = 256; part >= 1 && faults.length === 0; part /= 4) {
      const next = look(startingGenes(vocabulary, focus, part, generator(seed + hill)));
      if (next === undefined) break;
      top = next;
    }
    if (top !== undefined && faults.length === 0) faults.push(...steepness(top, rules));
    for (let step = 0; step < 3 && top !== undefined && faults.length === 0; step += 1) {
      const next = look(mutated(top.genes, vocabulary, focus, random));
      if (next !== undefined && (next.steps > top.steps || next.milliseconds > 1.2 * top.milliseconds + 1)) top = next;
    }
  }
  if (mostSteps === undefined || mostTime === undefined) throw new Error('no pod was tried');
  return { tried, mostSteps, mostTime, millisecondsAMillion, faults };
}

/** Returns the pod in a few words. */
export function describe({ genes, bytes, steps, milliseconds }: Weighed): string {
  const counts = Object.entries(genes.counts).filter(([, count]) => count > 0);
  return (
    `${(steps / 1e6).toFixed(2)} million steps, ${milliseconds.toFixed(1)} ms, ${(bytes / 1024).toFixed(0)} KiB: ` +
    `${counts.map(([name, count]) => `${name} ${count}`).join(', ')}; ` +
    TEXTS.map((name) => `${name} ${JSON.stringify(genes.texts[name])}`).join(', ')
  );
}

function slowness(weighed: Weighed, rules: Rules, millisecondsAMillion: number): string[] {
  const allowed = TOO_SLOW * millisecondsAMillion * (MAX_STEPS / 1e6);
  if (weighed.milliseconds <= allowed) return [];
  // Once more, and again: the machine may have been busy elsewhere.
  const again = [1, 2, 3].map(() => weigh(weighed.genes, rules)?.milliseconds ?? 0);
  return Math.min(...again) <= allowed
    ? []
    : [
        `takes ${Math.min(...again).toFixed(0)} ms, of which the steps don't tell (${allowed.toFixed(0)} ms): ${describe(weighed)}`,
      ];
}

function steepness(weighed: Weighed, rules: Rules): string[] {
  if (weighed.steps < TELLING) return [];
  const quarter = count(shrunk(weighed.genes, 4), rules);
  const half = count(shrunk(weighed.genes, 2), rules);
  if (quarter.steps < TELLING / 20 || !isSteep(half, quarter)) return [];
  const whole = count(weighed.genes, rules);
  return isSteep(whole, half) || whole.steps >= COUNTED
    ? [`grows from ${quarter.steps} to ${half.steps} to ${whole.steps} steps: ${describe(weighed)}`]
    : [];
}

function isSteep(more: Counted, less: Counted): boolean {
  return more.steps / less.steps > TOO_STEEP * Math.max(1, more.bytes / less.bytes);
}

interface Counted {
  readonly bytes: number;
  readonly steps: number;
}

/** The steps without the bound of a decision, up to ten times as many. */
function count(genes: Genes, rules: Rules): Counted {
  const pod = podOf(genes);
  const work = startWork(COUNTED);
  decide(pod, rules, {}, work);
  return { bytes: JSON.stringify(pod).length, steps: Math.min(COUNTED, COUNTED - work.left) };
}

/** What a decision on the pod takes under its bound; undefined where the webhook would not read such a pod. */
function weigh(genes: Genes, rules: Rules): Weighed | undefined {
  const pod = podOf(genes);
  const text = JSON.stringify(pod);
  if (text.length > MAX_BODY_BYTES || exceededJsonLimit(Buffer.from(text)) !== undefined) return undefined;
  const work = startWork();
  const milliseconds = cpu(() => decide(pod, rules, {}, work));
  return { genes, bytes: text.length, steps: Math.min(MAX_STEPS, MAX_STEPS - work.left), milliseconds };
}

/** Milliseconds of a million steps, of a pod with many words of which none tells anything. */
function calibrate(rules: Rules): number {
  const args = Array.from({ length: 4000 }, (_, i) => `--setting-${i}=some-value-of-it`);
  const pod = { metadata: {}, spec: { containers: [{ name: 'a', image: 'a', args }] } };
  const costs = Array.from({ length: 12 }, () => {
    let steps = 0;
    const milliseconds = cpu(() => {
      // Several, since the clock of a thread ticks in milliseconds.
      for (let i = 0; i < 8; i += 1) {
        const work = startWork(COUNTED);
        decide(pod, rules, {}, work);
        steps += COUNTED - work.left;
      }
    });
    return milliseconds / (steps / 1e6);
  });
  return costs.toSorted((a, b) => a - b)[costs.length >> 1] ?? Number.NaN;
}

/** Milliseconds of CPU that this thread takes. */
function cpu(run: () => void): number {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

function podOf({ counts, texts }: Genes): object {
  // A pod has up to 100,000 items, and few lengths.
  const fillings = new Map<number, string>();
  const filling = (length: number): string => {
    const text = fillings.get(length) ?? fill(texts.script, length);
    fillings.set(length, text);
    return text;
  };
  const of = (template: string, number: number, length: number): string => {
    const numbered = template.replaceAll('#', String(number));
    return numbered.includes('~') ? numbered.replaceAll('~', filling(length)) : numbered;
  };
  const all = counts.containers + counts.sidecars;
  const share = (total: number, index: number): number => Math.floor(total / all) + (index < total % all ? 1 : 0);
  const container = (index: number): object => {
    const start = index * 100;
    const ports = list(share(counts.ports, index), (i) => ({
      name: of(texts.portName, i, 0),
      containerPort: 1 + ((start + i) % 65_535),
    }));
    return {
      name: `c${index}`,
      image: of(texts.image, index, counts.imageLength),
      ports: [
        ...list(share(counts.udpPorts, index), (i) => ({ containerPort: 1 + ((start + i) % 65_535), protocol: 'UDP' })),
        ...ports,
      ],
      args: [
        ...list(share(counts.words, index), (i) => of(texts.word, start + i + 1, counts.wordLength)),
        ...list(share(counts.otherWords, index), (i) => of(texts.otherWord, start + i + 1, counts.wordLength)),
        ...(counts.scriptLength > 0 && index === 0 ? [fill(texts.script, counts.scriptLength)] : []),
      ],
      env: list(share(counts.variables, index), (i) => {
        const [name = '', ...value] = of(texts.variable, start + i + 1, counts.valueLength).split('=');
        return { name, value: value.join('=') };
      }),
      ...Object.fromEntries(
        ['livenessProbe', 'readinessProbe', 'startupProbe'].slice(0, counts.probes).map((probe) => [
          probe,
          {
            httpGet: {
              path: of(texts.probe, index, counts.probeLength),
              port: of(texts.portName, 0, 0),
              scheme: 'HTTPS',
            },
          },
        ]),
      ),
      ...(index >= counts.containers && { restartPolicy: 'Always' }),
    };
  };
  const containers = list(all, container);
  const marker = { rule: 'x', added: { a: fill('[],', counts.markerLength) } };
  return {
    metadata: {
      labels: {
        ...Object.fromEntries(list(counts.labels, (i) => [`k${i}`, 'v'])),
        ...(counts.ruleLength > 0 && { 'autoscrape.io/rule': fill(texts.rule, counts.ruleLength) }),
      },
      annotations: {
        ...Object.fromEntries(list(counts.annotations, (i) => [of(texts.annotation, i, 0), ''])),
        ...(counts.annotationLength > 0 && { 'prometheus.io/path': fill(texts.script, counts.annotationLength) }),
        ...(counts.markerLength > 0 && { 'autoscrape.io/injected': JSON.stringify(marker) }),
      },
    },
    spec: { containers: containers.slice(0, counts.containers), initContainers: containers.slice(counts.containers) },
  };
}

function list<T>(length: number, make: (index: number) => T): T[] {
  return Array.from({ length }, (_, i) => make(i));
}

function fill(text: string, length: number): string {
  return text.repeat(Math.ceil(length / Math.max(1, text.length))).slice(0, length);
}

/** What items may say: whatever the rules look for, with what could make that dear. */
type Vocabulary = Readonly<Record<Text, readonly string[]>>;

function vocabularyOf(rules: Rules): Vocabulary {
  const { effective } = rules;
  const conditions = effective.rules.flatMap(({ when, unless }) => (unless === undefined ? [when] : [when, unless]));
  const flags = beginnings([
    ...effective.pathFrom,
    ...conditions.flatMap(({ argument, env }) => [argument, env]),
    ...effective.images.slice(0, 40).flatMap(({ needs, unless }) => [needs, unless].flat()),
  ]);
  const statements = flags
    .map((flag) => (flag.includes('=') ? flag : `${flag}=`))
    .flatMap((flag) => [`${flag}#`, `${flag}:#`, `${flag}/;#~`, `${flag}/#~`, `${flag}~`]);
  const words = statements.filter((text) => text.startsWith('-'));
  const variables = statements.filter((text) => !text.startsWith('-'));
  const globs = effective.images.flatMap(({ images }) => images).filter((image) => image.includes('*'));
  return {
    portName: often(['metrics', 'prom-#', 'p#'], beginnings(conditions.map(({ portName }) => portName))),
    word: often(['--metrics-port=#', '--web.telemetry-path=/;#~', '-a#', '--a=~', '$(A1)$(A2)~'], words),
    otherWord: often(['--web.telemetry-path=/;#', 'b', '~', '-$(A1)', ' a a a a'], words),
    variable: often(['A#_METRICS_PORT=#', 'A#_PROMETHEUS_PORT=#', 'A#=~', 'A#_METRICS=~'], variables),
    probe: ['/~', '/actuator/health~', '/~/actuator/health', '/q/health/~', '/metrics'],
    rule: ['x', 'metrics-port', 'ab', '\n'],
    annotation: ['k#', 'prometheus.io/s#', 'prometheus_io-scrap#', 'a/#'],
    image: ['~', '~/a', 'a-exporter~', ...globs.slice(0, 2).map((glob) => glob.replaceAll('*', '~'))],
    script: ['x', 'a-', 'a', 'a ', '$(A1)', '-', '€'],
  };
}

/** The texts, and as often as all of them those that are to be met often. */
function often(texts: readonly string[], rare: readonly string[]): string[] {
  return texts.flatMap((text) => list(Math.ceil(rare.length / texts.length), () => text)).concat(rare);
}

function beginnings(sources: readonly (string | undefined)[]): string[] {
  return sources.flatMap((source) => {
    const pattern = source === undefined ? undefined : compilePattern(source);
    if (!pattern?.ok) return [];
    return (pattern.value.prefixes ?? literalsOf(pattern.value.source).required ?? []).slice(0, 4);
  });
}

type Random = (below: number) => number;

/** A pod of a part of the most of what the focus is on, and one or none of everything else. */
function startingGenes(vocabulary: Vocabulary, focus: readonly Count[], part: number, random: Random): Genes {
  const counts = Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<Count, number>;
  for (const name of ['containers', 'imageLength', 'wordLength', 'probes'] as const) counts[name] = 1;
  for (const name of focus)
    counts[name] = Math.max(1, Math.floor(Math.min(COUNTS[name], SENSIBLE[name] ?? Infinity) / part));
  const texts = Object.fromEntries(TEXTS.map((name) => [name, pick(vocabulary[name], random)])) as Record<Text, string>;
  return { texts, counts };
}

/** Another text, or one count half or one and a half times as high. */
function mutated(genes: Genes, vocabulary: Vocabulary, focus: readonly Count[], random: Random): Genes {
  const { counts, texts } = genes;
  if (random(2) === 0) {
    const name = pick(TEXTS, random);
    return { counts, texts: { ...texts, [name]: pick(vocabulary[name], random) } };
  }
  const name = pick(random(3) === 0 ? NAMES : focus, random);
  const next = Math.ceil(counts[name] * (random(2) === 0 ? 0.5 : 1.5)) + 1;
  const room = name === 'sidecars' ? COUNTS.sidecars - counts.containers : COUNTS[name];
  return { texts, counts: { ...counts, [name]: Math.min(room, next) } };
}

/** The same with a part of everything that can be many. */
function shrunk({ counts, texts }: Genes, part: number): Genes {
  const fewer = Object.entries(counts).map(([name, number]) => [
    name,
    number === 0 || name === 'probes' ? number : Math.max(1, Math.floor(number / part)),
  ]);
  return { texts, counts: Object.fromEntries(fewer) as Record<Count, number> };
}

function pick<T>(values: readonly T[], random: Random): T {
  return values[random(values.length)] as T;
}

/** Mulberry32: whole numbers below a bound, the same from the same seed. */
function generator(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
