import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../../src/core/explain.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';

const metrics = { name: 'metrics', containerPort: 9090 };
const api = { name: 'api', image: 'api:1', ports: [metrics] };
const proxy = { name: 'istio-proxy', image: 'proxyv2', ports: [{ name: 'http-envoy-prom', containerPort: 15090 }] };
const merged = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': '15020',
  'prometheus.io/path': '/stats/prometheus',
};

function explained(spec: object, annotations: object = {}, mesh = false) {
  return explain({ metadata: { annotations }, spec }, defaultRules(), { mesh });
}

const NOTES: Readonly<Record<string, readonly [notes: readonly string[], expected: readonly RegExp[]]>> = {
  'nothing for one container': [explained({ containers: [api] }).notes, []],
  "Grafana's doubles, with the annotation that helps": [
    explained({ containers: [{ name: 'cache' }, api] }).notes,
    [/^Grafana's .* 2 containers.* k8s\.grafana\.com\/metrics\.container: api it makes only one/],
  ],
  'nothing where that annotation is there': [
    explained({ containers: [{ name: 'cache' }, api] }, { 'k8s.grafana.com/metrics.container': 'api' }).notes,
    [],
  ],
  'a regular container for Grafana where the endpoint is in a native sidecar': [
    explained({ containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ ...api, restartPolicy: 'Always' }] })
      .notes,
    [/metrics\.container: a it makes only one/],
  ],
  'a port that two containers declare': [
    explained({ containers: [api, { name: 'b', ports: [{ containerPort: 9090 }] }] }).notes,
    [/^Grafana/, /^2 containers declare port 9090: VictoriaMetrics/],
  ],
  "Istio's merge, which VictoriaMetrics doesn't see": [
    explained({ containers: [api] }, {}, true).notes,
    [/^Istio's agent merges this endpoint into its own at port 15020/],
  ],
  'scrape-slow': [explained({ containers: [api] }, { 'prometheus.io/scrape-slow': 'true' }).notes, [/scrape-slow/]],
  'a pod that Istio merged before us': [
    explained({ containers: [api, proxy] }, merged).notes,
    [/^Istio's injector did not know of port 9090/],
  ],
  'nothing where Istio knows the endpoint': [
    explained({ containers: [api, { ...proxy, env: [{ name: 'ISTIO_PROMETHEUS_ANNOTATIONS', value: '{}' }] }] }, merged)
      .notes,
    [],
  ],
  'nothing where there is nothing to tell Istio': [explained({ containers: [{ name: 'a' }, proxy] }, merged).notes, []],
  'nothing for what is no pod': [explain(null, defaultRules()).notes, []],
};

for (const [title, [notes, expected]] of Object.entries(NOTES)) {
  test(`explain notes ${title}`, () => {
    assert.equal(notes.length, expected.length, notes.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(notes[i] ?? '', pattern);
  });
}

test('warnings name the scrapers that do not read the endpoint', () => {
  const parsed = parseRules('https: true', readShipped());
  assert.ok(parsed.ok);
  const warned = (spec: object): readonly string[] =>
    explain({ metadata: {}, spec }, parsed.value.rules).decision.warnings;
  assert.deepEqual(warned({ containers: [api] }), []);
  const [sidecar, ...noMore] = warned({
    containers: [{ name: 'a' }],
    initContainers: [{ ...api, restartPolicy: 'Always' }],
  });
  assert.match(sidecar ?? '', /native sidecar, and VictoriaMetrics/);
  assert.deepEqual(noMore, []);
  const [https] = warned({ containers: [{ name: 'a', ports: [{ name: 'https-metrics', containerPort: 8443 }] }] });
  assert.match(https ?? '', /VictoriaMetrics' chart and Azure scrape it over http/);
});
