import { isLoopback, readPortNumber } from './port.ts';
import { UNREACHABLE } from './framework-says.ts';
import type { FrameworkSays } from './framework-says.ts';
import { lists } from './properties.ts';
import type { Properties } from './properties.ts';

/**
 * Returns what properties say about the metrics of OpenTelemetry's SDKs.
 * The default of the host is localhost in the specification and in Go and Python, and every
 * interface in Java and JavaScript, so that without a host the port must be declared to leave no
 * doubt.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#prometheus-exporter
 */
export function opentelemetry(properties: Properties): FrameworkSays {
  if (!lists(properties('otel.metrics.exporter'), 'prometheus')) return undefined;
  const host = properties('otel.exporter.prometheus.host');
  if (host !== undefined && isLoopback(host)) return UNREACHABLE;
  return {
    kind: 'found',
    port: readPortNumber(properties('otel.exporter.prometheus.port') ?? '9464'),
    defaultPort: 9464,
    path: '/metrics',
    scheme: 'http',
    sure: host !== undefined,
  };
}
