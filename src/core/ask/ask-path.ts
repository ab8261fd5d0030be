// Which paths may be asked and written into an annotation.

/**
 * Returns whether the path may be asked and annotated: an RFC 3986 path of at most 255 characters
 * with one leading slash. Percent escapes are not allowed, because Prometheus reads the annotation
 * as the unescaped path and would escape it again; nor are `.` and `..`, which every hop may read
 * differently.
 */
export function isAskablePath(path: string): boolean {
  return path.length <= MAX_PATH && PATH.test(path) && !DOTS.test(path);
}

/** In characters. */
const MAX_PATH = 255;

/** RFC 3986, 3.3: `path-absolute` of `pchar` without `pct-encoded`. */
const PATH = /^\/(?!\/)[A-Za-z0-9._~!$&'()*+,;=:@/-]*$/;
const DOTS = /\/\.\.?(?:\/|$)/;

/** Prometheus' default. */
const USUAL_PATH = '/metrics';

/**
 * Returns the paths to ask at one port, in order, at most three: those that the pod's settings
 * suggest, then `/metrics`, without paths that must not be asked.
 */
export function pathsToAsk(stated: readonly string[]): string[] {
  const usual = [USUAL_PATH];
  const paths = [...new Set([...stated.filter(isAskablePath).slice(0, MAX_PATHS - usual.length), ...usual])];
  return paths.slice(0, MAX_PATHS);
}

/** Each further path adds a line to the application's log, and finds almost nothing. */
export const MAX_PATHS = 3;

/**
 * Returns the path that an answer without metrics suggests, or undefined. It is always one of our
 * own paths. `start` is the beginning of the body in lower case.
 */
export function pathSuggestedBy(start: string): string | undefined {
  return LOOKS.find(({ words }) => words.every((word) => start.includes(word)))?.path;
}

const LOOKS: readonly { readonly words: readonly string[]; readonly path: string }[] = [
  // Spring Boot's error attributes, and its page:
  // https://docs.spring.io/spring-boot/reference/web/servlet.html#web.servlet.spring-mvc.error-handling
  { words: ['"timestamp":', '"status":404', '"error":"not found"'], path: '/actuator/prometheus' },
  { words: ['whitelabel error page'], path: '/actuator/prometheus' },
  // Micronaut's JSON error with hypermedia links:
  // https://micronaut-projects.github.io/micronaut-micrometer/latest/guide/
  { words: ['"_links":{"self":', 'not found'], path: '/prometheus' },
  // The page of Vert.x, which Quarkus uses: https://quarkus.io/guides/telemetry-micrometer
  { words: ['<h1>resource not found</h1>'], path: '/q/metrics' },
];
