import { objectIn, text } from '../../core/json.ts';
import { readScrapeAnnotations } from '../../core/annotations/scrape-keys.ts';
import type { AnnotationKeys } from '../../core/annotations/scrape-keys.ts';
import { claims, MARKER_KEY, readMarker } from '../../core/annotations/marker.ts';
import type { Marker } from '../../core/annotations/marker.ts';
import { readAskedPod } from '../../core/ask/asked-pod.ts';
import { readPortNumber } from '../../core/pod/port.ts';
import type { Rules } from '../../core/rules/rule.ts';
import { examine as examineBriefly, examineInFull } from '../../explain/examine.ts';
import type { Examined, ExamineSurroundings, Found } from '../../explain/examine.ts';
import type { Related } from '../../explain/related-objects.ts';
import { isAboutDoubles, remarksOn } from '../../explain/remarks.ts';
import { EXPLAINED_REASONS } from '../../explain/unselected.ts';
import { reconcileFlags } from '../../manifest/release-selectors.ts';
import { readWorkloads } from '../../manifest/workload.ts';
import type { FoundEndpoint } from '../endpoint/ask-endpoint.ts';
import { finding, quoted } from '../finding.ts';
import type { FindingId, Line } from '../finding.ts';

/** Where the annotations send a scraper. */
export interface Stated {
  readonly scheme: string;
  /** Undefined where no port is named and the pod does not declare exactly one. */
  readonly port: number | undefined;
  readonly path: string;
}

/** What is known of the pod's surroundings. */
export interface PodSurroundings {
  readonly namespace: string;
  /** What the namespace and its Services say; nothing of the namespace where it can't be read. */
  readonly related: Related;
  readonly rules: Rules;
  /** What is needed to know the selectors in force, in place of which the labels alone are looked at; undefined where they are known. */
  readonly selectorsNeed: string | undefined;
  /** Whether some scraper has a target of the pod, whatever the annotations say. */
  readonly isTarget: boolean;
  /** Returns what creates the pod, such as its Deployment, or undefined where it can't be read. */
  readonly owner: () => Promise<unknown>;
  /** Asks the ports of a pod for which no rule finds an endpoint; undefined where none serves metrics, or none is to be asked. */
  readonly findEndpoint: () => Promise<FoundEndpoint | undefined>;
  /** Unix time in ms. */
  readonly now: number;
}

/** What the pod itself shows. */
export interface PodChecked {
  readonly lines: readonly Line[];
  /** Where the annotations send a scraper; undefined where there are none that count. */
  readonly stated: Stated | undefined;
  /** Whether the endpoint and the scraper are to be looked at. */
  readonly goesOn: boolean;
}

/** In ms. New pods are annotated, found and scraped within that. */
const NEW_MS = 2 * 60_000;

/** Returns whether the pod can be too new for its target to be there. */
export function isNew(pod: unknown, now: number): boolean {
  const created = Date.parse(text(objectIn(pod, 'metadata').creationTimestamp));
  return now - created < NEW_MS;
}

/** Returns what the pod itself shows, up to the first break. */
export async function checkPod(pod: unknown, surroundings: PodSurroundings): Promise<PodChecked> {
  const lifecycle = checkLifecycle(pod, surroundings.namespace);
  if (lifecycle !== undefined) return { lines: [lifecycle], stated: undefined, goesOn: false };
  const { rules, namespace, related } = surroundings;
  const asked = readAskedPod(pod);
  const stated = readScrapeAnnotations(rules.annotationKeys, asked.annotations);
  const found = asFound(pod);
  if (found === undefined) return { lines: [], stated: undefined, goesOn: false };
  const examined = examineBriefly(found, inNamespace(surroundings));
  const adviceOf = (): string => examineInFull(found, inNamespace(surroundings)).advice.sentences[0] ?? '';
  const isStated = (stated.scrape === 'true' || stated.slow === 'true') && stated.negations.length === 0;
  if (isStated)
    return annotated(asked.annotations, examined, adviceOf, statedEndpoint(stated, asked.containers), rules);
  if (surroundings.isTarget)
    return {
      lines: [{ state: 'ok', title: 'not annotated, and a target all the same' }],
      stated: undefined,
      goesOn: true,
    };
  const line = (await misplaced(examined, surroundings)) ?? (await notAnnotated(examined, adviceOf, pod, surroundings));
  const lines: Line[] = [line];
  if (related.namespace(namespace) === undefined)
    lines.unshift({ state: 'unchecked', title: `labels of namespace ${namespace}`, needs: 'get on namespaces' });
  if (surroundings.selectorsNeed !== undefined && 'id' in line && BY_SELECTORS.includes(line.id))
    lines.unshift({ state: 'unchecked', title: "the webhook's selectors", needs: surroundings.selectorsNeed });
  return { lines, stated: undefined, goesOn: false };
}

/** What is judged by the selectors in force. */
const BY_SELECTORS: readonly FindingId[] = ['namespace-not-opted-in', 'pod-missed'];

function inNamespace({ rules, related, namespace }: PodSurroundings): ExamineSurroundings {
  return { rules, related, mesh: false, defaultNamespace: namespace };
}

/** Scrape annotations, or our labels, that stand on the owner where nobody reads them. */
async function misplaced(
  { decision }: Examined,
  { owner, related, rules, namespace }: PodSurroundings,
): Promise<Line | undefined> {
  if (decision.outcome === 'skip' && decision.reason !== 'no_candidate') return undefined;
  const value = await owner();
  const [workload] = value === undefined ? [] : readWorkloads([{ value, line: 0 }]).workloads;
  if (workload === undefined) return undefined;
  const [warning] = remarksOn(workload, decision, related, rules, namespace).warnings.filter((sentence) =>
    sentence.includes(' itself has '),
  );
  return warning === undefined
    ? undefined
    : finding(
        'annotation-misplaced',
        'not annotated',
        warning,
        `kubectl edit ${workload.kind.toLowerCase()} ${workload.name} -n ${namespace}: write them below ${workload.template}.metadata`,
      );
}

function checkLifecycle(pod: unknown, namespace: string): Line | undefined {
  const status = objectIn(pod, 'status');
  const phase = text(status.phase);
  if (phase === 'Succeeded' || phase === 'Failed')
    return finding(
      'pod-finished',
      'the pod has finished',
      `Its phase is ${phase}: nothing serves metrics any more, and its address may be another pod's.`,
      'Look at a running pod, or set ttlSecondsAfterFinished in its Job.',
    );
  const deleted = objectIn(pod, 'metadata').deletionTimestamp;
  if (deleted !== undefined && deleted !== null)
    return finding(
      'pod-terminating',
      'the pod is being deleted',
      `Its deletion began at ${quoted(text(deleted))}.`,
      'Look at the pod that comes in its place.',
    );
  if (phase !== 'Running' || text(status.podIP) === '')
    return finding(
      'pod-not-running',
      'the pod does not run yet',
      `Its phase is ${quoted(phase) || 'unknown'}, and it has ${text(status.podIP) === '' ? 'no address' : 'an address'}.`,
      `kubectl describe pod ${quoted(text(objectIn(pod, 'metadata').name))} -n ${namespace}`,
    );
  return undefined;
}

function asFound(pod: unknown): Found | undefined {
  // The items of a list come without apiVersion and kind.
  const asPod = { ...objectIn({ pod }, 'pod'), apiVersion: 'v1', kind: 'Pod' };
  const [workload] = readWorkloads([{ value: asPod, line: 1 }]).workloads;
  return workload && { workload, file: '' };
}

function statedEndpoint(
  stated: ReturnType<typeof readScrapeAnnotations>,
  containers: ReturnType<typeof readAskedPod>['containers'],
): Stated {
  const declared = [...new Set(containers.flatMap(({ ports }) => ports.map(({ number }) => number)))];
  const only = declared.length === 1 ? declared[0] : undefined;
  return {
    scheme: stated.scheme ?? 'http',
    port: stated.port === undefined ? only : readPortNumber(stated.port),
    path: stated.path ?? '/metrics',
  };
}

/** Returns the endpoint as it is printed: `http :8080/metrics`. */
function titleOf({ scheme, port, path }: Stated): string {
  return `${quoted(scheme)} :${port ?? '(no port)'}${quoted(path)}`;
}

function annotated(
  annotations: ReadonlyMap<string, string>,
  { decision, warnings: all }: Examined,
  adviceOf: () => string,
  stated: Stated,
  { annotationKeys }: Rules,
): PodChecked {
  // Whether there are two targets the scraper itself says.
  const warnings = all.filter((warning) => !isAboutDoubles(warning));
  const reason = decision.outcome === 'skip' ? decision.reason : undefined;
  if (reason === 'conflicting_keys' || reason === 'bad_port_annotation')
    return {
      lines: [
        finding(
          'annotation-unusable',
          'the annotations cannot be used',
          quotedAll([EXPLAINED_REASONS[reason], ...warnings]),
          adviceOf() || 'Correct the annotation.',
        ),
      ],
      stated,
      goesOn: false,
    };
  const marker = readMarker(annotations.get(MARKER_KEY));
  const isOurs = marker !== undefined && claims(marker, annotations);
  const isWhole = isOurs && Object.entries(marker.added).every(([key, value]) => annotations.get(key) === value);
  const by = whoAnnotated(isOurs ? marker : undefined, annotationKeys);
  const lines: Line[] = [{ state: 'ok', title: `annotated by ${by}: ${titleOf(stated)}` }];
  if (isOurs && !isWhole)
    lines.push(
      finding(
        'annotation-changed',
        'the annotations were changed since',
        EXPLAINED_REASONS.changed_since,
        'Remove autoscrape.io/injected from the manifest that brought it, or the annotations that it lists.',
      ),
    );
  else if (warnings.length > 0)
    lines.push(
      finding(
        'annotation-suspect',
        'the annotations are probably not right',
        quotedAll(warnings),
        'Correct what is named, in the pod template: autoscrape leaves what an author wrote.',
      ),
    );
  return { lines, stated, goesOn: true };
}

/** Returns who annotated the pod, of which the marker claims something. */
function whoAnnotated(marker: Marker | undefined, keys: AnnotationKeys): string {
  if (marker === undefined) return 'its author';
  // Beside an author's annotations only those of other dialects are added.
  if (!Object.values(keys).some((key) => Object.hasOwn(marker.added, key)))
    return 'its author, and by autoscrape for the other dialects of its rules';
  // These two are no rules (decide.ts).
  if (marker.rule === 'annotation') return 'its author in part, and completed by autoscrape';
  return marker.rule === 'label' ? 'autoscrape, as its label says' : `autoscrape, rule ${quoted(marker.rule)}`;
}

/** Warnings are our own sentences, one line each; those for kubectl begin with who says them. */
function quotedAll(sentences: readonly string[]): string {
  return (
    sentences
      .map((sentence) => sentence.replace(/^autoscrape: /, ''))
      // An annotation's key at the beginning stays as it is.
      .map((sentence) => sentence.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase()))
      .map((sentence) => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`))
      .join(' ')
  );
}

async function notAnnotated(
  { decision, optIn, warnings }: Examined,
  adviceOf: () => string,
  pod: unknown,
  { namespace, now, rules, related, findEndpoint }: PodSurroundings,
): Promise<Line> {
  const title = 'not annotated';
  const found =
    decision.outcome === 'annotate'
      ? `By the rules it would be annotated: rule ${decision.rule}, port ${decision.endpoints[0].port}.`
      : decision.reason === 'not_selected'
        ? EXPLAINED_REASONS.not_selected
        : `By the rules it is skipped (${decision.reason}): ${EXPLAINED_REASONS[decision.reason]}`;
  const { labels } = readAskedPod(pod);
  const why = related.unselected(namespace, labels);
  const { because, todo } = why.namespace ?? { because: '', todo: '' };
  if (optIn === 'never') return finding('namespace-excluded', title, because, todo);
  if (decision.outcome === 'skip' && (decision.reason === 'opted_out' || decision.reason === 'declined'))
    return {
      ...finding('pod-opted-out', title, quotedAll([found, ...warnings]), adviceOf()),
      isMistake: warnings.length > 0,
    };
  if (optIn === 'no' || optIn === 'unknown')
    return finding('namespace-not-opted-in', title, `${because} ${found}`, todo);
  if (decision.outcome === 'skip' && decision.reason === 'not_selected') {
    return finding('pod-not-selected', title, why.pod?.because ?? found, why.pod?.todo ?? adviceOf());
  }
  if (decision.outcome === 'skip') {
    const endpoint = await findEndpoint();
    if (endpoint !== undefined) return unsaid(endpoint, rules);
    return finding('no-endpoint', title, quotedAll([found, ...warnings]), adviceOf() || 'autoscrape explain -v');
  }
  const hint = decision.confirm ? ' The rule only hints: where asking is on, the pod is asked first.' : '';
  if (isNew(pod, now))
    return finding(
      'pod-new',
      title,
      `The pod is younger than two minutes. ${found}${hint}`,
      'Run this again in a minute.',
    );
  const { selector } = why;
  const conditions = selector?.conditions ?? [];
  const unknown =
    conditions.length === 0
      ? ''
      : ` ${selector?.from ?? ''} has match conditions that are not evaluated here, and may leave it out: ${conditions.join(', ')}.`;
  return finding(
    'pod-missed',
    title,
    `${found}${hint} Nobody has done it.${unknown}`,
    ['autoscrape reconcile --once -n', namespace, ...(selector === undefined ? [] : reconcileFlags(selector))].join(
      ' ',
    ),
  );
}

/** Metrics that only asking finds. */
function unsaid({ port, path, series }: FoundEndpoint, { annotationKeys: keys }: Rules): Line {
  const annotations = [`${keys.scrape}: "true"`, `${keys.port}: "${port}"`, `${keys.path}: ${quoted(path)}`];
  return finding(
    'endpoint-unsaid',
    'not annotated, and has metrics',
    `No rule finds an endpoint. Asked through the API server, port ${port} answers with ${series} series at ${quoted(path)}.`,
    `add to the pod template: metadata.annotations: {${annotations.join(', ')}}`,
  );
}
