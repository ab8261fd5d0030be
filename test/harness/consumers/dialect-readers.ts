import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { isObject } from '../../../src/core/json.ts';

// What the consumers of other dialects make of a pod, written down after their own sources: they are too large to be run here. The
// rules of Grafana's chart are run, in a real Prometheus: test/cluster/dialects.test.ts.

/** As much of a pod as they read. */
export interface ReadPod {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly ReadContainer[]; readonly initContainers?: readonly ReadContainer[] };
}

interface ReadContainer {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly ports?: readonly { readonly containerPort: number }[];
}

/** Returns the addresses that the consumer scrapes of the pod. */
export type DialectReader = (pod: ReadPod, ip: string) => readonly string[];

/**
 * Datadog's agent: annotations v2 of each container that runs, native sidecars included.
 * comp/core/autodiscovery/common/utils/annotations.go, pod_annotations.go; providers/container.go; listeners/kubelet.go
 */
export const readDatadog: DialectReader = ({ metadata, spec }, ip) => {
  const annotations = metadata?.annotations ?? {};
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...spec.containers, ...sidecars].flatMap(({ name }) => {
    const identifier = annotations[`ad.datadoghq.com/${name}.check.id`] ?? name;
    const text = annotations[`ad.datadoghq.com/${identifier}.checks`];
    if (text === undefined) return [];
    const checks: unknown = JSON.parse(text);
    assert.ok(isObject(checks));
    return Object.entries(checks).flatMap(([check, config]) => {
      assert.equal(check, 'openmetrics');
      assert.ok(isObject(config) && isObject(config['init_config']) && Array.isArray(config['instances']));
      return config['instances'].map((instance: unknown) => {
        assert.ok(isObject(instance) && instance['namespace'] === '');
        assert.deepEqual(instance['metrics'], ['.*']);
        return resolved(String(instance['openmetrics_endpoint']), ip);
      });
    });
  });
};

/** Puts the address into the template, and is sure that no other variable is left: comp/core/autodiscovery/configresolver */
function resolved(template: string, ip: string): string {
  const url = template.replaceAll('%%host%%', ip.includes(':') ? `[${ip}]` : ip);
  assert.doesNotMatch(url, /%%.*%%/);
  return url;
}

/** Dynatrace: "Annotate Prometheus exporter pods" of its documentation. */
export const readDynatrace: DialectReader = ({ metadata }, ip) => {
  const { scrape, port, path = '/metrics', secure = 'false' } = under(metadata?.annotations, 'metrics.dynatrace.com/');
  if (scrape !== 'true') return [];
  assert.match(port ?? '', /^[0-9]+$/);
  return [`${secure === 'true' ? 'https' : 'http'}://${ip}:${port}${path}`];
};

function under(annotations: Readonly<Record<string, string>> = {}, prefix: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(annotations)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  );
}

/**
 * OpenTelemetry's receiver_creator on endpoints of k8s_observer: receiver/receivercreator/discovery.go,
 * extension/observer/k8sobserver/pod_endpoint.go, receiver/simpleprometheusreceiver/receiver.go
 */
export const readOpenTelemetry: DialectReader = ({ metadata, spec }, ip) => {
  const annotations = metadata?.annotations ?? {};
  return spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ containerPort }) => {
      const hint = (key: string) =>
        annotations[`io.opentelemetry.discovery.metrics.${containerPort}/${key}`] ??
        annotations[`io.opentelemetry.discovery.metrics/${key}`];
      if (hint('enabled') !== 'true' || hint('scraper') === undefined) return [];
      assert.equal(hint('scraper'), 'prometheus_simple');
      const text = hint('config') ?? '{}';
      // Between them is an expression.
      assert.doesNotMatch(text, /`/);
      const config: unknown = parse(text);
      assert.ok(isObject(config));
      const { tls, metrics_path: path = '/metrics' } = config;
      assert.ok(typeof path === 'string');
      const scheme = isObject(tls) && tls['insecure'] === false ? 'https' : 'http';
      return [`${scheme}://${ip}:${containerPort}${path}`];
    }),
  );
};
