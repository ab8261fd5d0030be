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
 */
export function micronaut(properties: Properties): FrameworkSays {
  const enabled = properties('micronaut.metrics.export.prometheus.enabled');
  if (enabled === undefined) return undefined;
  if (!isTrue(enabled) || isFalse(properties('micronaut.metrics.enabled'))) return SWITCHED_OFF;
  const isOpen = isFalse(properties('endpoints.prometheus.sensitive') ?? properties('endpoints.all.sensitive'));
  if (isTrue(properties('micronaut.security.enabled')) && !isOpen) return GUARDED;
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
