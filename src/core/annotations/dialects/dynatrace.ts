import type { Dialect } from './dialect.ts';

// https://docs.dynatrace.com/docs/observe/infrastructure-observability/container-platform-monitoring/kubernetes-monitoring/monitor-prometheus-metrics
// "Annotate Prometheus exporter pods": scrape and port are required, path and secure have defaults. There is one set of keys for a
// pod, and a Service with annotations of its own for each further endpoint.

const SCRAPE = 'metrics.dynatrace.com/scrape';
const PORT = 'metrics.dynatrace.com/port';
const PATH = 'metrics.dynatrace.com/path';
const SECURE = 'metrics.dynatrace.com/secure';

/** Others filter metrics and give credentials, and go with what is written here. */
const KEYS: readonly string[] = [SCRAPE, PORT, PATH, SECURE];

export const DYNATRACE: Dialect = {
  consumer: 'Dynatrace',
  prefixes: ['metrics.dynatrace.com/'],
  keys: KEYS,
  onServices: SCRAPE,
  isStated: (key) => KEYS.includes(key),
  write: ([{ port, path, scheme }, ...others]) => ({
    annotations: {
      [SCRAPE]: 'true',
      [PORT]: String(port),
      [PATH]: path,
      ...(scheme === 'https' && { [SECURE]: 'true' }),
    },
    notes: others.length === 0 ? [] : ['Dynatrace reads one endpoint of a pod, so its annotations say the first.'],
  }),
};
