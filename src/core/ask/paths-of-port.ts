import { isAskablePath, pathsToAsk } from './ask-path.ts';
import type { AskedContainer } from './asked-pod.ts';
import { MAX_ARGUMENTS } from '../limits.ts';
import { readCommandLine } from '../pod/command-line.ts';
import { environmentOptions } from '../pod/jvm-options.ts';
import { readProperties } from '../pod/properties.ts';
import { suggestedPaths } from '../pod/framework-settings.ts';
import { joinPath } from '../pod/path.ts';
import { startWork } from '../step-budget.ts';

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
    ...(container === undefined ? [] : belowContext(container, port)),
  ]);
}

/** Returns the paths below the context path of the application, by the settings of its framework. */
function belowContext({ words, environment }: AskedContainer, port: number): readonly string[] {
  const work = startWork();
  const variables = new Map(
    environment.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
  );
  const command = [...environmentOptions(variables, MAX_ARGUMENTS, work), ...words];
  return suggestedPaths(
    readProperties(
      readCommandLine(command, () => variables, MAX_ARGUMENTS, work),
      variables,
    ),
    port,
  );
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
  const path = health > 1 ? joinPath(segments.slice(0, health).join('/'), '/metrics') : undefined;
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
