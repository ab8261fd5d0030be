import { isAlikeTo } from '../scrape-keys.ts';
import { isDnsLabel } from '../dns-label.ts';
import type { Dialect } from './dialect.ts';

// Grafana's chart k8s-monitoring, feature annotationAutodiscovery, whose README lists these annotations:
// https://github.com/grafana/k8s-monitoring-helm/tree/main/charts/k8s-monitoring/charts/feature-annotation-autodiscovery
// Alloy discovers as Prometheus does, so that every spelling which Prometheus sanitises alike is the same key. There is one
// set of keys for a pod: several endpoints are asked for in https://github.com/grafana/k8s-monitoring-helm/issues/2142.

const SCRAPE = 'k8s.grafana.com/scrape';
const PATH = 'k8s.grafana.com/metrics.path';
const PORT = 'k8s.grafana.com/metrics.portNumber';
const SCHEME = 'k8s.grafana.com/metrics.scheme';

/**
 * Which container's ports become targets. Without it each regular container makes a target at the annotated port, and its samples
 * count as often: https://github.com/grafana/k8s-monitoring-helm/issues/1365.
 */
export const GRAFANA_CONTAINER = 'k8s.grafana.com/metrics.container';

/** Others choose the container, parameters, an interval or labels, and go with what is written here. */
const STATEMENTS = [SCRAPE, PATH, PORT, SCHEME, 'k8s.grafana.com/metrics.portName'];

export const GRAFANA: Dialect = {
  consumer: "Grafana's k8s-monitoring",
  prefixes: ['k8s.grafana.com/'],
  keys: [SCRAPE, PORT, PATH, SCHEME, GRAFANA_CONTAINER],
  onServices: SCRAPE,
  isStated: (key) => STATEMENTS.some((statement) => isAlikeTo(statement, key)),
  write: ([{ container, port, path, scheme }, ...others], { regular: [first, ...more], has }) => {
    // Its rules drop init containers, and a native sidecar is one: another container's target has the same address.
    const named = [first, ...more].includes(container) ? container : first;
    return {
      annotations: {
        [SCRAPE]: 'true',
        [PORT]: String(port),
        [PATH]: path,
        ...(scheme === 'https' && { [SCHEME]: 'https' }),
        ...(isDnsLabel(named) && !has(GRAFANA_CONTAINER) && { [GRAFANA_CONTAINER]: named }),
      },
      notes:
        others.length === 0
          ? []
          : ["Grafana's k8s-monitoring reads one endpoint of a pod, so its annotations say the first."],
    };
  },
};
