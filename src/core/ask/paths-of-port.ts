import { isAskablePath, pathsToAsk } from './ask-path.ts';
import type { AskedContainer } from './asked-pod.ts';

// The paths that the pod's own settings suggest: below the context path of the application.

/**
 * Returns the paths to ask at one port, in order, at most three: those that the pod sets for
 * metrics, those that a context path or a probe of this port suggests, and `/metrics`.
 */
export function pathsOfPort(
  container: AskedContainer | undefined,
  port: number,
  stated: readonly string[] = [],
): readonly string[] {
  const probes = container?.httpProbes.filter((probe) => probe.port === port) ?? [];
  return pathsToAsk([
    ...stated,
    ...probes.flatMap(({ path }) => besideProbe(path) ?? []),
    ...(container === undefined ? [] : belowContext(container)),
  ]);
}

/** A setting of a framework's context path, and the path of its metrics below that. */
interface Context {
  /** As an argument, a system property or a variable. */
  readonly setting: RegExp;
  readonly metrics: string;
}

const CONTEXTS: readonly Context[] = [
  // https://docs.spring.io/spring-boot/appendix/application-properties/index.html#application-properties.server.server.servlet.context-path
  {
    setting:
      /(?:server\.servlet\.context-path|SERVER_SERVLET_CONTEXT_?PATH|spring\.webflux\.base-path|SPRING_WEBFLUX_BASE_?PATH)=(\/.*)/,
    metrics: '/actuator/prometheus',
  },
  // https://docs.spring.io/spring-boot/reference/actuator/monitoring.html#actuator.monitoring.customizing-management-server-context-path
  {
    setting: /(?:management\.endpoints\.web\.base-path|MANAGEMENT_ENDPOINTS_WEB_BASE_?PATH)=(\/.*)/,
    metrics: '/prometheus',
  },
  // https://quarkus.io/guides/all-config#quarkus-vertx-http_quarkus-http-root-path
  { setting: /(?:quarkus\.http\.root-path|QUARKUS_HTTP_ROOT_PATH)=(\/.*)/, metrics: '/q/metrics' },
];

function belowContext({ words, environment }: AskedContainer): string[] {
  return CONTEXTS.flatMap(({ setting, metrics }) => {
    const base = [...words, ...environment].map((word) => setting.exec(word)?.[1]).find((path) => path !== undefined);
    return base === undefined ? [] : [join(base, metrics)];
  });
}

/**
 * A probe's path includes the context path. Spring Boot and Quarkus serve metrics next to the
 * health endpoints; for other servers only the context path is known.
 */
function besideProbe(probe: string): string | undefined {
  for (const { health, metrics } of FRAMEWORKS) {
    const at = probe.indexOf(health);
    if (at >= 0) return probe.slice(0, at) + metrics;
  }
  const segments = probe.split('/');
  const health = segments.findIndex((segment) => HEALTH.test(segment));
  // The first segment is the empty one before the leading slash.
  const path = health > 1 ? join(segments.slice(0, health).join('/'), '/metrics') : undefined;
  return path !== undefined && isAskablePath(path) ? path : undefined;
}

const FRAMEWORKS: readonly { readonly health: string; readonly metrics: string }[] = [
  // https://docs.spring.io/spring-boot/reference/actuator/endpoints.html
  { health: '/actuator/', metrics: '/actuator/prometheus' },
  // https://quarkus.io/guides/telemetry-micrometer, https://quarkus.io/guides/smallrye-health
  { health: '/q/health', metrics: '/q/metrics' },
];

/** How the paths of probes end. */
const HEALTH = /^(?:_?health|_?live|_?ready|alive|ping|status|startup|probe|up$|-$)/i;

function join(base: string, path: string): string {
  return `${base.endsWith('/') ? base.slice(0, -1) : base}${path}`;
}
