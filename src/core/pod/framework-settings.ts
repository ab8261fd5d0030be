import type { FrameworkSays } from './framework-says.ts';
import { micronaut } from './micronaut.ts';
import { opentelemetry } from './opentelemetry.ts';
import { isPlainPath } from './path.ts';
import { isTrue } from './properties.ts';
import type { Properties } from './properties.ts';
import { quarkus, quarkusPath } from './quarkus.ts';
import { isSpringSeparate, springBoot, springPath } from './spring-boot.ts';

// What the settings of frameworks say about their metrics. Each has a file, which names the page where it is said.

/** The frameworks whose settings are read. */
export const FRAMEWORKS = ['spring-boot', 'micronaut', 'quarkus', 'opentelemetry'] as const;
export type Framework = (typeof FRAMEWORKS)[number];

/** Returns what the properties say about the metrics of the framework. */
export function readFramework(framework: Framework, properties: Properties): FrameworkSays {
  const read = READERS[framework](properties);
  return read?.kind === 'found' && !isPlainPath(read.path) ? undefined : read;
}

const READERS: Readonly<Record<Framework, (properties: Properties) => FrameworkSays>> = {
  'spring-boot': springBoot,
  micronaut,
  quarkus,
  opentelemetry,
};

/**
 * Returns the paths at which the settings suggest metrics at the port, though they don't say that
 * there are any: below the paths under which the applications serve everything.
 */
export function suggestedPaths(properties: Properties, port: number): readonly string[] {
  const isSet = (names: readonly string[]): boolean => names.some((name) => properties(name) !== undefined);
  const isSpring = isSet([
    'server.servlet.context-path',
    'spring.webflux.base-path',
    'management.server.port',
    'management.server.base-path',
    'management.endpoints.web.base-path',
    'management.endpoints.web.path-mapping.prometheus',
  ]);
  const isManagement = isSpringSeparate(properties) && properties('management.server.port') === String(port);
  return [
    ...(isSpring ? [springPath(properties, isManagement)] : []),
    ...(isTrue(properties('micronaut.metrics.export.prometheus.enabled')) ? ['/prometheus'] : []),
    ...(isSet([
      'quarkus.http.root-path',
      'quarkus.http.non-application-root-path',
      'quarkus.micrometer.export.prometheus.path',
    ])
      ? [quarkusPath(properties)]
      : []),
  ];
}
