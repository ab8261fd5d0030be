import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allScrapedByIstio, appScrapedByIstio, injectByIstio, isSelectedByIstio } from '../../harness/mesh/istio.ts';
import type { PodObject } from '../../harness/mesh/istio.ts';

// What the stand-in must do to be a stand-in: each line is a statement about Istio's source or documentation.

function podWith(annotations?: Readonly<Record<string, string>>): PodObject {
  return {
    metadata: { name: 'web', ...(annotations !== undefined && { annotations }) },
    spec: { containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 9464 }] }] },
  };
}

function injected(pod: PodObject): PodObject {
  const injection = injectByIstio(pod);
  assert.equal(injection.outcome, 'injected');
  return injection.outcome === 'injected' ? injection.pod : pod;
}

const MERGED = {
  'prometheus.io/port': '15020',
  'prometheus.io/path': '/stats/prometheus',
  'prometheus.io/scrape': 'true',
};

test('Istio annotates its agent even where the pod has no metrics', () => {
  const pod = injected(podWith());
  assert.deepEqual(pod.metadata.annotations, MERGED);
  assert.equal(appScrapedByIstio(pod), undefined);
});

test('Istio merges the three annotations in any spelling, and replaces them', () => {
  const pod = injected(podWith({ 'prometheus-io/port': '9464', 'prometheus.io.path': '/m', team: 'a' }));
  assert.deepEqual(pod.metadata.annotations, { team: 'a', ...MERGED });
  assert.equal(appScrapedByIstio(pod), 'http://localhost:9464/m');
});

test('Istio does not change the scheme', () => {
  const pod = injected(podWith({ 'prometheus.io/port': '9464', 'prometheus.io/scheme': 'https' }));
  assert.deepEqual(pod.metadata.annotations, { 'prometheus.io/scheme': 'https', ...MERGED });
});

test('Istio does not merge a second time', () => {
  const once = injected(podWith({ 'prometheus.io/port': '9464' }));
  assert.deepEqual(injected(once), once);
});

for (const annotations of [
  { 'prometheus.istio.io/merge-metrics': 'false', 'prometheus.io/port': '9464' },
  { 'prometheus.io/scrape': 'false' },
  { 'prometheus_io/scrape': 'F' },
]) {
  test(`Istio merges nothing with ${JSON.stringify(annotations)}`, () => {
    assert.deepEqual(injected(podWith(annotations)).metadata.annotations, annotations);
  });
}

test('Istio rejects a pod whose port annotation is a name, out of range or one of its own ports', () => {
  for (const port of ['metrics', '8080,9090', '0', '65536', '15090', '15021']) {
    assert.equal(injectByIstio(podWith({ 'prometheus.io/port': port })).outcome, 'rejected', port);
  }
});

test('Istio does not change pods on the host network', () => {
  const pod = podWith();
  assert.equal(injectByIstio({ ...pod, spec: { ...pod.spec, hostNetwork: true } }).outcome, 'left');
});

const SELECTION: readonly (readonly [
  namespace: Record<string, string>,
  pod: Record<string, string>,
  selected: boolean,
])[] = [
  [{}, {}, false],
  [{ 'istio-injection': 'enabled' }, {}, true],
  [{ 'istio-injection': 'enabled' }, { 'sidecar.istio.io/inject': 'false' }, false],
  [{ 'istio-injection': 'disabled' }, { 'sidecar.istio.io/inject': 'true' }, false],
  [{ 'istio.io/rev': 'default' }, {}, true],
  [{ 'istio.io/rev': 'default' }, { 'sidecar.istio.io/inject': 'false' }, false],
  [{}, { 'sidecar.istio.io/inject': 'true' }, true],
  [{}, { 'istio.io/rev': 'default' }, true],
  [{}, { 'istio.io/rev': 'default', 'sidecar.istio.io/inject': 'false' }, false],
  [{ 'istio.io/dataplane-mode': 'ambient' }, {}, false],
];

for (const [namespace, pod, selected] of SELECTION) {
  test(`Istio ${selected ? 'selects' : 'does not select'} pod ${JSON.stringify(pod)} in namespace ${JSON.stringify(namespace)}`, () => {
    assert.equal(isSelectedByIstio(namespace, pod), selected);
  });
}

test('Istio merges the targets that an annotation lists in place of the port, and rejects bad ones', () => {
  const key = 'prometheus.istio.io/scrape-targets';
  const pod = injected(podWith({ 'prometheus.io/port': '1', [key]: '9464:/metrics,9465:/m' }));
  assert.deepEqual(pod.metadata.annotations, MERGED);
  assert.deepEqual(allScrapedByIstio(pod), ['http://localhost:9464/metrics', 'http://localhost:9465/m']);
  for (const targets of [':/metrics', '9464:/a,9464:/b', '9464:/a,15020:/metrics', 'x:/a'])
    assert.equal(injectByIstio(podWith({ [key]: targets })).outcome, 'rejected', targets);
});
