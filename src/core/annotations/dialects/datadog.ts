import { isDnsLabel } from '../dns-label.ts';
import type { Dialect, DialectEndpoint } from './dialect.ts';

// Datadog's agent, Autodiscovery annotations v2 (since 7.36), with a list of instances for each container:
// https://docs.datadoghq.com/containers/kubernetes/prometheus/
// How they are read: https://github.com/DataDog/datadog-agent/blob/main/comp/core/autodiscovery/common/utils/annotations.go

const PREFIX = 'ad.datadoghq.com/';

/** The first form of the annotations, of the agent's version 5. */
const LEGACY_PREFIX = 'service-discovery.datadoghq.com/';

/**
 * Annotations v2, which win over v1 where both are there, and would take their place; another name for the container, by
 * which alone its annotations are then read; and what keeps the agent away from it.
 */
const STATEMENT =
  /^ad\.datadoghq\.com\/(?:.+\.)?(?:checks|check_names|init_configs|instances|check\.id|exclude|metrics_exclude)$/;

const KEY = /^ad\.datadoghq\.com\/[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\.checks$/;

/** Characters that Kubernetes allows in a key behind its "/". */
const LONGEST_NAME = 63;

export const DATADOG: Dialect = {
  consumer: "Datadog's agent",
  prefixes: [PREFIX, LEGACY_PREFIX],
  keys: [],
  pattern: KEY,
  isStated: (key) => key.startsWith(LEGACY_PREFIX) || (key.startsWith(PREFIX) && STATEMENT.test(key)),
  write: (endpoints, { regular: [first] }) => {
    const annotations: Record<string, string> = {};
    const notes: string[] = [];
    // All containers of a pod have one address, so that any of them can carry an endpoint whose container is unknown.
    for (const [container, served] of Map.groupBy(endpoints, (endpoint) => endpoint.container || first)) {
      const name = `${container}.checks`;
      if (!isDnsLabel(container)) continue;
      if (name.length <= LONGEST_NAME) annotations[`${PREFIX}${name}`] = checks(served);
      else notes.push(tooLong(container, served));
    }
    return { annotations, notes };
  },
};

/**
 * Returns the value: what the agent itself makes of `prometheus.io/scrape: "true"` where its option prometheusScrape is on, so
 * that metrics have the same names either way.
 * https://github.com/DataDog/datadog-agent/blob/main/comp/core/autodiscovery/common/types/prometheus.go
 */
function checks(endpoints: readonly DialectEndpoint[]): string {
  const instances = endpoints.map(({ scheme, port, path }) => ({
    openmetrics_endpoint: `${scheme}://%%host%%:${port}${path}`,
    namespace: '',
    metrics: ['.*'],
  }));
  return JSON.stringify({ openmetrics: { init_config: {}, instances } });
}

function tooLong(container: string, endpoints: readonly DialectEndpoint[]): string {
  const ports = endpoints.map(({ port }) => port).join(', ');
  return (
    `Datadog's agent gets no annotation for port ${ports}: ${PREFIX}${container}.checks has more than the ${LONGEST_NAME} ` +
    `characters that Kubernetes allows after the "/". A container's name of 56 characters or less has room.`
  );
}
