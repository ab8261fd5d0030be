import { GUARDED, SWITCHED_OFF } from './framework-says.ts';
import type { FrameworkSays } from './framework-says.ts';
import { joinPath } from './path.ts';
import { readPortNumber } from './port.ts';
import { isFalse, isTrue } from './properties.ts';
import type { Properties } from './properties.ts';

/**
 * Returns what properties say about the metrics of Micronaut.
 * The endpoint `prometheus` has Prometheus' format; `metrics` is JSON.
 * https://micronaut-projects.github.io/micronaut-micrometer/latest/guide/#metricsAndReportersPrometheus
 * https://docs.micronaut.io/latest/guide/configurationreference.html
 * https://docs.micronaut.io/latest/api/io/micronaut/management/endpoint/package-summary.html
 */
export function micronaut(properties: Properties): FrameworkSays {
  const enabled = properties('micronaut.metrics.export.prometheus.enabled');
  if (enabled === undefined) return undefined;
  if (!isTrue(enabled) || isFalse(properties('micronaut.metrics.enabled'))) return SWITCHED_OFF;
  const sensitive = properties('endpoints.prometheus.sensitive') ?? properties('endpoints.all.sensitive');
  // A sensitive endpoint answers 401 to those who are not signed in, with or without Micronaut's module for security.
  if (isTrue(sensitive) || (isTrue(properties('micronaut.security.enabled')) && !isFalse(sensitive))) return GUARDED;
  const port = properties('endpoints.all.port') ?? properties('micronaut.server.port');
  const context = properties('micronaut.server.context-path') ?? '';
  return {
    kind: 'found',
    port: readPortNumber(port ?? ''),
    defaultPort: 8080,
    path: joinPath(context, joinPath(properties('endpoints.all.path') ?? '', '/prometheus')),
    scheme: isTrue(properties('micronaut.server.ssl.enabled')) ? 'https' : 'http',
    sure: true,
  };
}
