import type { Dialect, DialectEndpoint } from './dialect.ts';

// The OpenTelemetry Collector's receiver_creator, with `discovery: { enabled: true }`, makes receivers from hints of a pod:
// https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/receiver/receivercreator/README.md#generate-receiver-configurations-from-provided-hints
// A hint names the port that it is about, so that a pod may have several.

const PREFIX = 'io.opentelemetry.discovery.metrics';

/**
 * The receiver that scrapes one endpoint, at the address that was discovered:
 * https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/receiver/simpleprometheusreceiver
 */
const SCRAPER = 'prometheus_simple';

const KEY = /^io\.opentelemetry\.discovery\.metrics\.[1-9][0-9]{0,4}\/(?:enabled|scraper|config)$/;

export const OPENTELEMETRY: Dialect = {
  consumer: "OpenTelemetry's receiver_creator",
  prefixes: [`${PREFIX}/`, `${PREFIX}.`],
  keys: [],
  pattern: KEY,
  // A hint without a port is about all of them.
  isStated: (key) => key.startsWith(`${PREFIX}/`) || key.startsWith(`${PREFIX}.`),
  write: (endpoints, { declarations }) => {
    // k8s_observer finds the declared ports of regular containers, one endpoint each, whatever the protocol:
    // https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/extension/observer/k8sobserver/pod_endpoint.go
    const found = endpoints.filter(({ port }) => declarations(port) === 1);
    const others = endpoints.filter((endpoint) => !found.includes(endpoint));
    return {
      annotations: Object.fromEntries(found.flatMap(hints)),
      notes: others.map(({ port }) =>
        declarations(port) === 0
          ? `OpenTelemetry's k8s_observer finds no port ${port}: no regular container declares it.`
          : `OpenTelemetry's k8s_observer finds port ${port} ${declarations(port)} times, and each would be scraped: declare it once.`,
      ),
    };
  },
};

function hints({ port, path, scheme }: DialectEndpoint): [key: string, value: string][] {
  // The values are YAML, and JSON is YAML. `insecure` means: without TLS.
  const config = { metrics_path: path, ...(scheme === 'https' && { tls: { insecure: false } }) };
  return [
    [`${PREFIX}.${port}/enabled`, 'true'],
    [`${PREFIX}.${port}/scraper`, SCRAPER],
    [`${PREFIX}.${port}/config`, JSON.stringify(config)],
  ];
}
