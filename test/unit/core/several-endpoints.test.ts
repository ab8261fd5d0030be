import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decide } from '../../../src/core/decide.ts';
import type { Decision } from '../../../src/core/decision.ts';
import { explain } from '../../../src/core/explain.ts';
import { PRECEDENCES } from '../../../src/core/rules/precedence.ts';
import { rulesOf } from './rules/rules-of.ts';

const RULES = rulesOf('');
const HTTPS = rulesOf('https: true');
const PROBE = { livenessProbe: { tcpSocket: { port: 1 } } };

interface ContainerWords {
  readonly name: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly ports?: readonly object[];
  readonly livenessProbe?: object;
}

const api = {
  name: 'api',
  ports: [
    { name: 'http', containerPort: 8080 },
    { name: 'metrics', containerPort: 9090 },
  ],
};
const worker = { name: 'worker', ports: [{ name: 'worker-metrics', containerPort: 9121 }] };
const exporter = { name: 'exporter', image: 'prom/haproxy-exporter:v0.15.0', ports: [{ containerPort: 9101 }] };
const collector = {
  name: 'collector',
  ports: [
    { name: 'metrics', containerPort: 8888 },
    { name: 'promexporter', containerPort: 8889 },
  ],
};
const silent = { name: 'silent', ports: [{ name: 'intake', containerPort: 5170 }] };

function podOf(
  containers: readonly ContainerWords[],
  { annotations = {}, labels = {}, sidecars = [] as readonly ContainerWords[] } = {},
) {
  const initContainers = sidecars.map((sidecar) => ({ ...sidecar, restartPolicy: 'Always' }));
  return { metadata: { annotations, labels }, spec: { containers, initContainers } };
}

function summary(decision: Decision): string {
  if (decision.outcome === 'skip') return `skip ${decision.reason}`;
  const endpoints = decision.endpoints.map(({ rule, port, path, scheme }) => `${rule} ${scheme} ${port}${path}`);
  return [...endpoints, ...(decision.because === undefined ? [] : [decision.because])].join(', ');
}

const CASES: readonly (readonly [says: string, pod: object, want: string, rules?: typeof RULES])[] = [
  [
    'two containers that different rules find',
    podOf([api, worker]),
    'metrics-port http 9090/metrics, metrics-word-in-port http 9121/metrics, declared_first',
  ],
  [
    'the same containers in the other order: not the earlier rule comes first, but the first container',
    podOf([worker, api]),
    'metrics-word-in-port http 9121/metrics, metrics-port http 9090/metrics, declared_first',
  ],
  [
    'an application, a proxy without metrics, and an exporter',
    podOf([{ name: 'app', ports: [{ name: 'metrics', containerPort: 5000 }] }, silent, exporter]),
    'metrics-port http 5000/metrics, well-known-image http 9101/metrics, declared_first',
  ],
  [
    'two exporters at two paths',
    podOf([
      { name: 'django', ports: [{ name: 'http', containerPort: 8000 }] },
      {
        name: 'uwsgi-exporter',
        args: ['--web.telemetry-path=/uwsgi/metrics'],
        ports: [{ name: 'uwsgi-metrics', containerPort: 9117 }],
      },
      {
        name: 'django-exporter',
        args: ['--web.telemetry-path=/django/metrics'],
        ports: [{ name: 'django-metrics', containerPort: 9118 }],
      },
    ]),
    'metrics-word-in-port http 9117/uwsgi/metrics, metrics-word-in-port http 9118/django/metrics, declared_first',
  ],
  [
    'an exporter in front of the container that kubectl logs shows by default',
    podOf([exporter, api], { annotations: { 'kubectl.kubernetes.io/default-container': 'api' } }),
    'metrics-port http 9090/metrics, well-known-image http 9101/metrics, default_container',
  ],
  [
    'a default container without an endpoint',
    podOf([exporter, api, silent], { annotations: { 'kubectl.kubernetes.io/default-container': 'silent' } }),
    'well-known-image http 9101/metrics, metrics-port http 9090/metrics, declared_first',
  ],
  [
    'an exporter without probes in front of a container with one of any kind',
    podOf([exporter, { ...worker, ...PROBE }]),
    'metrics-word-in-port http 9121/metrics, well-known-image http 9101/metrics, probed',
  ],
  [
    'containers that are all probed',
    podOf([
      { ...exporter, ...PROBE },
      { ...api, ...PROBE },
    ]),
    'well-known-image http 9101/metrics, metrics-port http 9090/metrics, declared_first',
  ],
  [
    'a native sidecar whose rule comes earlier',
    podOf([worker], { sidecars: [api] }),
    'metrics-word-in-port http 9121/metrics, metrics-port http 9090/metrics, regular_container',
  ],
  [
    'several ports that one rule finds in one container',
    podOf([{ name: 'a', ports: [9, 8].map((containerPort) => ({ name: 'metrics', containerPort })) }]),
    'metrics-port http 9/metrics, metrics-port http 8/metrics, first_port',
  ],
  [
    "a collector: what its exporter serves, then the collector's own metrics",
    podOf([collector]),
    'prometheus-exporter-port http 8889/metrics, metrics-port http 8888/metrics, first_rule',
  ],
  [
    'a collector behind an application',
    podOf([api, collector]),
    'metrics-port http 9090/metrics, prometheus-exporter-port http 8889/metrics, metrics-port http 8888/metrics, declared_first',
  ],
  [
    'a collector in front of its exporter, which alone is probed',
    podOf([exporter, { ...collector, ...PROBE }]),
    'prometheus-exporter-port http 8889/metrics, well-known-image http 9101/metrics, metrics-port http 8888/metrics, probed',
  ],
  [
    'a port that two rules find, of which the first one continues',
    podOf([{ name: 'app', ports: [{ name: 'promexporter', containerPort: 8889 }] }]),
    'prometheus-exporter-port http 8889/metrics',
  ],
  [
    'a port that two containers declare',
    podOf([api, { ...worker, ports: [{ name: 'metrics', containerPort: 9090 }] }]),
    'metrics-port http 9090/metrics',
  ],
  [
    'a container that is only a hint, beside one that is certain',
    podOf([{ name: 'app', ports: [{ name: 'actuator', containerPort: 8081 }] }, exporter]),
    'well-known-image http 9101/metrics',
  ],
  [
    'an https endpoint that is not annotated, before one that is',
    podOf([{ name: 'tls', ports: [{ name: 'https-metrics', containerPort: 8443 }] }, worker]),
    'metrics-word-in-port http 9121/metrics, https-metrics-port https 8443/metrics, scrapable',
  ],
  [
    'the same where https is on',
    podOf([{ name: 'tls', ports: [{ name: 'https-metrics', containerPort: 8443 }] }, worker]),
    'https-metrics-port https 8443/metrics, metrics-word-in-port http 9121/metrics, declared_first',
    HTTPS,
  ],
  [
    'containers behind a proxy that serves their metrics',
    podOf([api, { name: 'kube-rbac-proxy', ports: [{ name: 'https', containerPort: 8443 }] }]),
    'skip https_endpoint',
  ],
  [
    'two such proxies, where https is on',
    podOf([
      api,
      { name: 'kube-rbac-proxy-main', ports: [{ containerPort: 8443 }] },
      { name: 'kube-rbac-proxy-self', ports: [{ containerPort: 9443 }] },
    ]),
    'kube-rbac-proxy-container https 8443/metrics, kube-rbac-proxy-container https 9443/metrics, declared_first',
    HTTPS,
  ],
  [
    'a port that a label names, in a container where a rule finds another, beside a second container',
    podOf([api, worker], { labels: { 'autoscrape.io/port': '8080' } }),
    'label http 8080/metrics, metrics-word-in-port http 9121/metrics, stated',
  ],
  [
    'a port that the annotation names, in the second container',
    podOf([api, worker], { annotations: { 'prometheus.io/port': '9121' } }),
    'metrics-word-in-port http 9121/metrics, metrics-port http 9090/metrics, stated',
  ],
];

for (const [says, pod, want, rules = RULES] of CASES) {
  test(`a decision holds every endpoint of ${says}`, () => {
    assert.equal(summary(decide(pod, rules)), want);
  });
}

test('a warning names what is not scraped, and explain does not repeat it', () => {
  const { decision, notes } = explain(podOf([api, worker, exporter]), RULES);
  assert.match(decision.warnings.join('\n'), /^autoscrape: ports 9121 \(worker\), 9101 \(exporter\) are not scraped, /);
  assert.doesNotMatch(notes.join('\n'), /not scraped/);
});

test('explain names what another rule finds in the same container', () => {
  const args = ['--metrics-port=8080'];
  const { decision, notes } = explain(podOf([{ ...api, args }]), RULES);
  assert.equal(summary(decision), 'metrics-port http 9090/metrics');
  assert.match(notes.join('\n'), /^Port 8080 of container api .* rule metrics-port decides for its container/m);
});

test('a warning about many endpoints fits, whatever the containers are called', () => {
  const name = fc.oneof(fc.string(), fc.constant('a'.repeat(63)), fc.constantFrom('\u0000', 'b"\n'));
  fc.assert(
    fc.property(fc.array(name, { minLength: 2, maxLength: 20 }), (names) => {
      const containers = names.map((each, i) => ({
        name: each,
        ports: [{ name: 'metrics', containerPort: 20_000 + i }],
      }));
      const decision = decide(podOf(containers), RULES);
      for (const warning of decision.warnings) assert.match(warning, /^[\x20-\x7e…]{1,256}$/);
    }),
  );
});

test('every reason for the first endpoint is the end of a sentence', () => {
  for (const because of Object.values(PRECEDENCES)) assert.match(because, /^[a-z].*[^.]$/);
});
