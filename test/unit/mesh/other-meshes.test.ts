import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

// What other meshes' injectors add to a pod, after their sources. All of it serves metrics or looks as if it did; none of it is
// the application's.

interface Injected {
  readonly containers?: readonly object[];
  readonly initContainers?: readonly object[];
  readonly annotations: Readonly<Record<string, string>>;
}

const linkerdPorts = [
  { name: 'linkerd-proxy', containerPort: 4143 },
  { name: 'linkerd-admin', containerPort: 4191 },
];

const INJECTED: Readonly<Record<string, Injected>> = {
  'Linkerd, with a native sidecar': {
    initContainers: [
      { name: 'linkerd-init', image: 'cr.l5d.io/linkerd/proxy-init:v2.4.4' },
      { name: 'linkerd-proxy', image: 'cr.l5d.io/linkerd/proxy', restartPolicy: 'Always', ports: linkerdPorts },
    ],
    annotations: { 'linkerd.io/inject': 'enabled', 'config.linkerd.io/admin-port': '4191' },
  },
  'Linkerd, with a regular container': {
    initContainers: [{ name: 'linkerd-network-validator', image: 'cr.l5d.io/linkerd/proxy', ports: linkerdPorts }],
    containers: [
      {
        name: 'linkerd-proxy',
        image: 'cr.l5d.io/linkerd/proxy',
        ports: linkerdPorts,
        livenessProbe: { httpGet: { path: '/live', port: 4191 } },
      },
    ],
    annotations: { 'linkerd.io/proxy-version': 'edge-26.9.1' },
  },
  Dapr: {
    containers: [
      {
        name: 'daprd',
        image: 'ghcr.io/dapr/daprd:1.16.0',
        args: ['/daprd', '--enable-metrics', '--metrics-port', '9090'],
        ports: [
          { name: 'dapr-http', containerPort: 3500 },
          { name: 'dapr-grpc', containerPort: 50001 },
          { name: 'dapr-internal', containerPort: 50002 },
          { name: 'dapr-metrics', containerPort: 9090 },
        ],
      },
    ],
    annotations: { 'dapr.io/enabled': 'true', 'dapr.io/enable-metrics': 'true', 'dapr.io/metrics-port': '9090' },
  },
  Consul: {
    initContainers: [{ name: 'consul-connect-inject-init', image: 'hashicorp/consul-k8s-control-plane:1.9' }],
    containers: [
      {
        name: 'consul-dataplane',
        image: 'hashicorp/consul-dataplane:1.9',
        args: ['-telemetry-prom-scrape-path=/metrics', '-telemetry-prom-merge-port=20100'],
        ports: [{ name: 'proxy-health-0', containerPort: 21500 }],
      },
    ],
    annotations: { 'consul.hashicorp.com/connect-inject-status': 'injected' },
  },
  'Consul, for several services': {
    containers: ['web', 'web-metrics'].map((service, i) => ({
      name: `consul-dataplane-${service}`,
      image: 'hashicorp/consul-dataplane:1.9',
      ports: [{ name: `metrics-${i}`, containerPort: 20200 + i }],
    })),
    annotations: { 'consul.hashicorp.com/connect-service-port': '8080,9464' },
  },
  Kuma: {
    initContainers: [{ name: 'kuma-init', image: 'kumahq/kuma-init:2.12.0' }],
    containers: [
      {
        name: 'kuma-sidecar',
        image: 'kumahq/kuma-dp:2.12.0',
        ports: [{ name: 'metrics', containerPort: 5670 }],
        readinessProbe: { httpGet: { path: '/ready', port: 9901 } },
      },
    ],
    annotations: {
      'prometheus.metrics.kuma.io/port': '5670',
      'prometheus.metrics.kuma.io/path': '/metrics',
      'prometheus.metrics.kuma.io/aggregate-web-port': '9464',
    },
  },
};

const rules = defaultRules();

function meshed(injected: Injected, ports: readonly object[], annotations: Readonly<Record<string, string>> = {}) {
  const { containers = [], initContainers = [] } = injected;
  return {
    metadata: { name: 'web', annotations: { ...injected.annotations, ...annotations } },
    // Injectors put theirs first or last; first is the harder case.
    spec: { initContainers, containers: [...containers, { name: 'web', image: 'web:1', ports }] },
  };
}

for (const [mesh, injected] of Object.entries(INJECTED)) {
  test(`${mesh}: decide annotates the application's port in an injected pod`, () => {
    const decision = decide(meshed(injected, [{ name: 'metrics', containerPort: 9464 }]), rules);
    assert.ok(decision.outcome === 'annotate');
    assert.equal(decision.annotations['prometheus.io/port'], '9464');
    assert.deepEqual(decision.warnings, []);
  });

  test(`${mesh}: decide skips an injected pod without metrics`, () => {
    const decision = decide(meshed(injected, [{ name: 'http', containerPort: 8080 }]), rules);
    assert.ok(decision.outcome === 'skip');
    assert.equal(decision.reason, 'no_candidate');
  });

  test(`${mesh}: decide adds the application's only port where the pod has only scrape`, () => {
    const decision = decide(
      meshed(injected, [{ name: 'http', containerPort: 8080 }], { 'prometheus.io/scrape': 'true' }),
      rules,
    );
    assert.ok(decision.outcome === 'annotate');
    assert.equal(decision.annotations['prometheus.io/port'], '8080');
  });
}

test('Consul: decide skips a pod that the injector has annotated', () => {
  const consul = INJECTED['Consul'];
  assert.ok(consul);
  const decision = decide(
    meshed(consul, [{ name: 'metrics', containerPort: 9464 }], {
      'prometheus.io/scrape': 'true',
      'prometheus.io/path': '/metrics',
      'prometheus.io/port': '20200',
    }),
    rules,
  );
  assert.ok(decision.outcome === 'skip');
  assert.equal(decision.reason, 'already_annotated');
});
