import type { AnnotationKeys } from '../core/annotations/scrape-keys.ts';

// What a check says. The ids are public: scripts rely on them, and docs/troubleshooting.md has a heading for each.

/** Those about the installation; the others are about a pod. */
export const INSTALLATION_FINDINGS = {
  'not-installed': 'cross',
  'webhook-not-configured': 'cross',
  'webhook-ca-missing': 'cross',
  'webhook-ca-mismatch': 'cross',
  'webhook-certificate-expired': 'cross',
  'webhook-certificate-name': 'cross',
  'webhook-certificate-ends': 'warning',
  'webhook-not-ready': 'cross',
  'webhook-one-node': 'warning',
  'webhook-after-istio': 'cross',
  'webhook-observes': 'warning',
  'webhook-not-called': 'cross',
  'rules-invalid': 'cross',
  'reconciler-no-rights': 'cross',
  'reconciler-not-leading': 'cross',
  'reconciler-not-listed': 'warning',
  'guard-not-bound': 'cross',
  'versions-differ': 'warning',
} as const satisfies Record<string, 'warning' | 'cross'>;

/** Every finding by its stable id, with how bad it is: only a cross makes the exit code 1. */
export const FINDINGS = {
  'pod-terminating': 'warning',
  'pod-finished': 'warning',
  'pod-not-running': 'warning',
  'container-not-running': 'cross',
  'pod-gone': 'warning',
  'pod-opted-out': 'warning',
  'pod-not-selected': 'warning',
  'pod-new': 'warning',
  'pod-missed': 'cross',
  'namespace-not-opted-in': 'cross',
  'namespace-excluded': 'cross',
  'no-endpoint': 'cross',
  'endpoint-unsaid': 'cross',
  'annotation-misplaced': 'cross',
  'annotation-unusable': 'cross',
  'annotation-changed': 'warning',
  'annotation-suspect': 'warning',
  'endpoint-refused': 'cross',
  'endpoint-not-found': 'cross',
  'endpoint-not-metrics': 'cross',
  'endpoint-malformed': 'cross',
  'endpoint-content-type': 'cross',
  'endpoint-status': 'cross',
  'endpoint-needs-login': 'cross',
  'endpoint-tls': 'cross',
  'endpoint-redirects': 'cross',
  'endpoint-slow': 'cross',
  'endpoint-closes': 'cross',
  'endpoint-host': 'warning',
  'endpoint-too-large': 'warning',
  'endpoint-timeout': 'warning',
  'endpoint-mesh': 'warning',
  'annotations-not-read': 'cross',
  'scraper-not-found': 'warning',
  'scraper-reload-failed': 'cross',
  'monitor-not-selected': 'cross',
  'monitor-port-missing': 'cross',
  'monitor-not-loaded': 'cross',
  'target-dropped': 'cross',
  'target-not-discovered': 'cross',
  'target-missing': 'cross',
  'target-not-yet': 'warning',
  'target-elsewhere': 'warning',
  'target-doubled': 'warning',
  'target-other-ports': 'warning',
  'target-istio-port': 'warning',
  'target-finished': 'warning',
  'target-slow': 'cross',
  'target-network': 'cross',
  'target-mesh': 'cross',
  'target-host': 'cross',
  'target-refused': 'cross',
  'target-unreachable': 'cross',
  'target-timeout': 'cross',
  'target-certificate': 'cross',
  'target-tls': 'cross',
  'target-closed': 'cross',
  'target-status': 'cross',
  'target-limit': 'cross',
  'target-content-type': 'cross',
  'target-malformed': 'cross',
  'target-down': 'cross',
  'target-flapping': 'warning',
  'series-dropped': 'warning',
  'series-labels-collide': 'warning',
  'series-repeated': 'warning',
  'series-of-workers': 'warning',
  ...INSTALLATION_FINDINGS,
} as const satisfies Record<string, 'warning' | 'cross'>;

/** A key of {@link FINDINGS}. */
export type FindingId = keyof typeof FINDINGS;

/** Something that is not as it should be. */
export interface Finding {
  /** A note is what nobody asked for: a finished pod where all of a namespace are looked at. */
  readonly state: 'note' | 'warning' | 'cross';
  readonly id: FindingId;
  readonly title: string;
  /** What is so, with who says it. */
  readonly because: string;
  /** One thing to do. */
  readonly todo: string;
  /** Whether its author probably meant something else, so that it is never a note. */
  readonly isMistake?: boolean;
}

/** One line of the way from the pod to its series. */
export type Line =
  | Finding
  | { readonly state: 'ok'; readonly title: string }
  | { readonly state: 'unchecked'; readonly title: string; readonly needs: string }
  | { readonly state: 'unreached'; readonly title: string };

/** What was found about one pod. */
export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  /** Such as `Deployment orders`; empty for a pod without a controller. */
  readonly workload: string;
  readonly lines: readonly Line[];
  /** Whether it is scraped; undefined where that could not be read. */
  readonly scraped: boolean | undefined;
  /** The answer in a sentence without the pod's name. */
  readonly answer: string;
}

/** Lines about something else than one pod, such as the installation. */
export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** Returns the finding with its level. */
export function finding(id: FindingId, title: string, because: string, todo: string): Finding {
  return { state: FINDINGS[id], id, title, because, todo };
}

/** Longest text of others that is printed, in characters. */
const MAX_QUOTED = 120;

/** Returns text that a server wrote, as one line of at most 120 printable ASCII characters; others are escaped. */
export function quoted(text: string): string {
  const shown = text
    .slice(0, MAX_QUOTED)
    .replaceAll(/[^\u0020-\u007E]/g, (letter) => `\\u${(letter.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
  return shown.length > MAX_QUOTED || text.length > MAX_QUOTED ? `${shown.slice(0, MAX_QUOTED - 3)}...` : shown;
}

/** Returns the same of text with addresses in it, without what is behind their `?`: a job's params may have a token there. */
export function quotedAddress(text: string): string {
  return quoted(text.replaceAll(/\?[^\s"]+/g, '?...'));
}

/** The usual keys, as remedies have them. */
const USUAL_KEY = /prometheus\.io\/(scrape|port|path|scheme)(?![\w/-]|\.\w)/g;

/** Returns the line with the annotation keys of the rules in force in its remedy, in place of the usual ones. */
export function withKeys(line: Line, keys: AnnotationKeys): Line {
  if (!('todo' in line)) return line;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the pattern has these names alone
  return { ...line, todo: line.todo.replaceAll(USUAL_KEY, (_, name) => keys[name as keyof AnnotationKeys]) };
}

/** What is so of many pods of a namespace, and is no fault where nobody named the pod. */
const EXPECTED: ReadonlySet<FindingId> = new Set([
  'pod-terminating',
  'pod-finished',
  'pod-not-running',
  'pod-gone',
  'pod-opted-out',
  'pod-not-selected',
  'pod-new',
  'namespace-excluded',
  'no-endpoint',
  'target-not-yet',
  // A section of its own says so.
  'scraper-not-found',
] satisfies FindingId[]);

/** What the user named: a pod or its workload, its namespace, or neither. */
export type Named = 'pod' | 'namespace' | 'nothing';

/** Returns the line as a note where it is so of many pods and nobody asked for this one. */
export function asNote(line: Line, named: Named): Line {
  if (named === 'pod' || !('id' in line) || line.isMistake === true) return line;
  const isExpected = EXPECTED.has(line.id) || (named === 'nothing' && line.id === 'namespace-not-opted-in');
  return isExpected ? { ...line, state: 'note' } : line;
}
