// Which paths may be asked and written into an annotation.

/**
 * Returns whether the path may be asked and annotated: at most 255 characters of an RFC 3986 path with one leading slash. Without
 * percent escapes, because Prometheus takes the annotation for the unescaped path and would escape it once more, and without `.` and
 * `..`, which every hop reads in its own way.
 */
export function isAskablePath(path: string): boolean {
  return path.length <= MAX_PATH && PATH.test(path) && !DOTS.test(path);
}

/** In characters. */
const MAX_PATH = 255;

/** RFC 3986, 3.3: `path-absolute` of `pchar`, less `pct-encoded`. */
const PATH = /^\/(?!\/)[A-Za-z0-9._~!$&'()*+,;=:@/-]*$/;
const DOTS = /\/\.\.?(?:\/|$)/;

/** Where Prometheus looks if nobody says otherwise. */
const USUAL_PATH = '/metrics';

/**
 * Returns the paths to ask at one port, in order and at most three: those that the pod's own words suggest, then `/metrics`.
 * Paths that must not be asked are left out.
 */
export function pathsToAsk(stated: readonly string[]): string[] {
  const usual = [USUAL_PATH];
  const paths = [...new Set([...stated.filter(isAskablePath).slice(0, MAX_PATHS - usual.length), ...usual])];
  return paths.slice(0, MAX_PATHS);
}

/** Each further path is one more line in somebody's log, and finds next to nothing. */
export const MAX_PATHS = 3;

/**
 * Returns the path that an answer's own looks suggest where nothing was found, or undefined. The answer only chooses among paths of
 * ours. `start` is the beginning of the body in lower case.
 */
export function pathSuggestedBy(start: string): string | undefined {
  return LOOKS.find(({ words }) => words.every((word) => start.includes(word)))?.path;
}

const LOOKS: readonly { readonly words: readonly string[]; readonly path: string }[] = [
  // Spring Boot's error attributes, and its page: https://docs.spring.io/spring-boot/reference/web/servlet.html#web.servlet.spring-mvc.error-handling
  { words: ['"timestamp":', '"status":404', '"error":"not found"'], path: '/actuator/prometheus' },
  { words: ['whitelabel error page'], path: '/actuator/prometheus' },
  // Micronaut's JSON error with hypermedia links: https://micronaut-projects.github.io/micronaut-micrometer/latest/guide/
  { words: ['"_links":{"self":', 'not found'], path: '/prometheus' },
  // Vert.x' page, which Quarkus serves: https://quarkus.io/guides/telemetry-micrometer
  { words: ['<h1>resource not found</h1>'], path: '/q/metrics' },
];
