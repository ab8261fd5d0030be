import type { ScrapeAnnotations } from './annotations/scrape-keys.ts';
import { claims, MARKER_KEY, readMarker, renderMarker } from './annotations/marker.ts';
import { consumerWarnings } from './consumers.ts';
import { skip, skipFound } from './decision.ts';
import type { Decision } from './decision.ts';
import { leaveOut, leftOutWarnings, writeAdditional } from './additional-endpoints.ts';
import type { Pod } from './pod/pod.ts';
import type { Endpoint } from './rules/endpoint.ts';
import type { Precedence } from './rules/precedence.ts';
import type { Rules } from './rules/rule.ts';
import * as warning from './warning.ts';
import { NO_DIALECT, writeDialects } from './write-dialects.ts';

/** A pod that may be annotated, with everything that the decision depends on. */
export interface Subject {
  readonly pod: Pod;
  readonly rules: Rules;
  readonly mesh: boolean;
  readonly live: boolean;
  readonly stated: ScrapeAnnotations;
}

/** In bytes, for all annotations of a pod together (apimachinery's TotalAnnotationSizeLimitB). */
const ANNOTATIONS_LIMIT = 256 * 1024;
/**
 * In bytes, left for the controllers and injectors that add annotations after us: they must not
 * exceed the limit because of ours.
 */
const ANNOTATIONS_RESERVE = 4 * 1024;

/**
 * Returns the decision to annotate the first endpoint, with what is known of the others; a skip where one of the
 * guards forbids it. `because` says why the first comes before the others, and `isHint` that a rule only hints at all
 * of them.
 */
export function annotate(
  subject: Subject,
  [endpoint, ...others]: readonly [Endpoint, ...Endpoint[]],
  because?: Precedence,
  isHint = false,
): Decision {
  const { pod, rules, mesh, stated } = subject;
  const keys = rules.annotationKeys;
  const { rule } = endpoint;
  const scheme = stated.scheme ?? endpoint.scheme;
  // Istio's agent scrapes over http and leaves the scheme key as it is, which breaks the target for
  // good.
  if (scheme === 'https' && mesh) return skipFound('mesh_https', rule);
  if (stated.scheme === undefined && endpoint.scheme === 'https' && !rules.https)
    return skipFound('https_endpoint', rule);
  const added: Record<string, string> = {};
  if (stated.scrape === undefined && stated.slow !== 'true') added[keys.scrape] = 'true';
  if (stated.port === undefined) added[keys.port] = String(endpoint.port);
  if (stated.path === undefined) added[keys.path] = endpoint.path;
  if (stated.scheme === undefined && endpoint.scheme === 'https') added[keys.scheme] = 'https';
  // A marker that was copied with a manifest belongs to the user and is not changed. Where it lists
  // annotations that the user wrote, nothing may be added: the list could then be complete, and
  // uninject would remove the user's annotations, too.
  const brought = readMarker(pod.annotations.get(MARKER_KEY));
  if (brought !== undefined && claims(brought, pod.annotations)) return skip('changed_since', warning.brokenMarker());
  // The path and scheme that the user wrote override the rule's.
  const first: Endpoint = {
    ...endpoint,
    path: stated.path ?? endpoint.path,
    scheme: scheme === 'https' ? 'https' : 'http',
  };
  const withMarker = (): Readonly<Record<string, string>> => {
    const all = { ...added, ...additional.annotations, ...dialects.annotations };
    return pod.annotations.has(MARKER_KEY) ? all : { ...all, [MARKER_KEY]: renderMarker({ rule, added: all }) };
  };
  const warnings: string[] = [];
  let additional = isHint ? leaveOut(others, 'hint') : writeAdditional(first, others, subject);
  let dialects = writeDialects([first, ...additional.endpoints], subject);
  let annotations = withMarker();
  let tooLarge = isTooLarge(pod, annotations);
  if (tooLarge && Object.keys(dialects.annotations).length > 0) {
    warnings.push(warning.dialectsTooLarge());
    dialects = NO_DIALECT;
    annotations = withMarker();
    tooLarge = isTooLarge(pod, annotations);
  }
  if (tooLarge && others.length > 0) {
    additional = leaveOut(others, 'too_large');
    annotations = withMarker();
    tooLarge = isTooLarge(pod, annotations);
  }
  if (tooLarge) return skip('too_large', warning.tooLarge());
  return {
    outcome: 'annotate',
    rule,
    endpoints: [first, ...additional.endpoints],
    ...(others.length > 0 && because !== undefined && { because }),
    annotations,
    confirm: false,
    warnings: [...consumerWarnings(pod, first), ...leftOutWarnings(additional.endpoints), ...warnings],
  };
}

/**
 * Returns the decision to repeat in other dialects what the annotations of the pod's author say, or undefined where that adds
 * nothing. The endpoint has the author's port, path and scheme.
 */
export function annotateInDialects(subject: Subject, endpoint: Endpoint): Decision | undefined {
  const { pod } = subject;
  const { annotations: added } = writeDialects([endpoint], subject);
  if (Object.keys(added).length === 0 || pod.annotations.has(MARKER_KEY)) return undefined;
  const { rule } = endpoint;
  const annotations = { ...added, [MARKER_KEY]: renderMarker({ rule, added }) };
  if (isTooLarge(pod, annotations)) return undefined;
  return { outcome: 'annotate', rule, endpoints: [endpoint], annotations, confirm: false, warnings: [] };
}

function isTooLarge(pod: Pod, added: Readonly<Record<string, string>>): boolean {
  const limit = ANNOTATIONS_LIMIT - ANNOTATIONS_RESERVE;
  let units = 0;
  for (const [key, value] of pod.annotations) units += key.length + value.length;
  for (const key of Object.keys(added)) units += key.length + (added[key] ?? '').length;
  // A UTF-16 unit takes one to three bytes, so only annotations near the limit must be encoded.
  if (units * 3 <= limit) return false;
  if (units > limit) return true;
  const encoder = new TextEncoder();
  const all = [...pod.annotations, ...Object.entries(added)];
  return all.reduce((sum, pair) => sum + encoder.encode(pair.join('')).length, 0) > limit;
}
