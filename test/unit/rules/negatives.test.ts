import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { rulesOf } from '../core/rules/rules-of.ts';

// Pods that look as if they had metrics and have none to scrape. None may be annotated, with https switched on or not.

const RULE_SETS = ['', 'https: true'].map(rulesOf);

const tcp = (name: string, containerPort: number) => ({ name, containerPort });

const NEGATIVES: readonly (readonly [says: string, container: Readonly<Record<string, unknown>>])[] = [
  // Catalogue images with their metrics switched off, or never switched on.
  ['traefik without its metrics switch', { image: 'traefik:v3', ports: [tcp('web', 8000), tcp('traefik', 8080)] }],
  [
    'keycloak without its metrics switch',
    { image: 'quay.io/keycloak/keycloak:26', ports: [tcp('http', 8080), tcp('management', 9000)] },
  ],
  [
    'minio without its switch for anonymous metrics',
    { image: 'minio/minio:latest', ports: [tcp('api', 9000), tcp('console', 9001)] },
  ],
  [
    "OpenSearch's performance analyzer, whose port is called metrics and serves JSON",
    { image: 'opensearchproject/opensearch:3', ports: [tcp('http', 9200), tcp('metrics', 9600)] },
  ],
  ['docker registry without its debug address', { image: 'registry:3', ports: [tcp('registry', 5000)] }],
  [
    'rabbitmq that declares only AMQP',
    { image: 'rabbitmq:4-management', ports: [tcp('amqp', 5672), tcp('http', 15672)] },
  ],
  [
    'oauth2-proxy without a metrics address',
    { image: 'quay.io/oauth2-proxy/oauth2-proxy:v7', ports: [tcp('http', 4180)] },
  ],
  ['cloudflared without --metrics', { image: 'cloudflare/cloudflared:2026.1', args: ['tunnel', 'run'] }],
  [
    'alloy on loopback',
    {
      image: 'grafana/alloy:v1',
      args: ['run', '--server.http.listen-addr=127.0.0.1:12345'],
      ports: [tcp('http', 12345)],
    },
  ],
  [
    'amazon-k8s-cni with its metrics switched off',
    { image: 'amazon-k8s-cni:v1', env: [{ name: 'DISABLE_METRICS', value: 'true' }], ports: [tcp('cni', 61678)] },
  ],
  [
    'an exporter on loopback',
    { image: 'quay.io/prometheus/node-exporter:v1', args: ['--web.listen-address=127.0.0.1:9100'] },
  ],
  [
    'a manager whose metrics address is 0',
    { image: 'registry.example/operator:1', args: ['--metrics-bind-address', '0'], ports: [tcp('metrics', 8080)] },
  ],
  [
    'a manager whose metrics are on loopback',
    { image: 'registry.example/operator:1', args: ['--metrics-addr=localhost:8080'], ports: [tcp('metrics', 8080)] },
  ],
  [
    'an application told to have no metrics',
    {
      image: 'registry.example/app:1',
      env: [{ name: 'METRICS_ENABLED', value: 'false' }],
      ports: [tcp('metrics', 9090)],
    },
  ],
  ['hydra at its migration', { image: 'oryd/hydra:v2', args: ['migrate', 'sql'], ports: [tcp('admin', 4445)] }],
  ['soketi without its metrics switch', { image: 'quay.io/soketi/soketi:1', ports: [{ containerPort: 9601 }] }],
  ['solr itself, beside which its exporter runs', { image: 'solr:9', ports: [tcp('http', 8983)] }],
  ['a satellite of LINSTOR', { image: 'piraeus-server:1', args: ['startSatellite'], ports: [{ containerPort: 3366 }] }],
  ['tf-operator with port 0', { image: 'kubeflow/tf-operator:v1', args: ['--monitoring-port=0'] }],
  ['jaeger-operator on loopback', { image: 'jaegertracing/jaeger-operator:1', args: ['--metrics-host=127.0.0.1'] }],
  [
    'couchbase-exporter behind a token',
    { image: 'couchbase/exporter:1', args: ['--token=/token'], ports: [{ containerPort: 9091 }] },
  ],
  [
    'an exporter whose configuration asks for TLS or a password',
    { image: 'vexxhost/libvirtd-exporter:1', args: ['--web.config.file=/web.yaml'], ports: [{ containerPort: 9474 }] },
  ],
  // Containers that are called like metrics and have none.
  [
    "the dashboard's scraper, which keeps what metrics-server says",
    { name: 'dashboard-metrics-scraper', image: 'kubernetesui/metrics-scraper:v1', ports: [{ containerPort: 8000 }] },
  ],
  [
    'a reloader of configuration, whatever its port is called',
    { name: 'prometheus-server-configmap-reload', image: 'registry.example/reload:1', ports: [tcp('metrics', 8080)] },
  ],
  [
    'nginx as a gateway, whose port has its name from what stands behind',
    { name: 'nginx', image: 'nginxinc/nginx-unprivileged:1.29', ports: [tcp('http-metrics', 8080)] },
  ],
  [
    'a handler whose chart switches its metrics off and declares the port all the same',
    {
      image: 'public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.0',
      env: [{ name: 'ENABLE_PROMETHEUS_SERVER', value: 'false' }],
      ports: [tcp('metrics', 9092)],
    },
  ],
  [
    'an application told by a flag to have no metrics',
    { image: 'registry.example/app:1', args: ['--enable-metrics=false'], ports: [tcp('metrics', 9090)] },
  ],
  // Ports that are called like metrics and take them in, or carry something else.
  ['a receiver of OTLP metrics', { image: 'registry.example/collector:1', ports: [tcp('otlp-metrics', 4317)] }],
  ['a gateway that metrics are pushed to', { image: 'registry.example/gateway:1', ports: [tcp('metrics-push', 9099)] }],
  [
    'a statsd relay over UDP',
    { image: 'registry.example/relay:1', ports: [{ ...tcp('metrics', 8125), protocol: 'UDP' }] },
  ],
  ['a gRPC service for metrics', { image: 'registry.example/adapter:1', ports: [tcp('metrics-grpc', 6789)] }],
  [
    'an admission webhook for metrics objects',
    { image: 'registry.example/hook:1', ports: [tcp('metrics-webhook', 9443)] },
  ],
  [
    "nats' monitoring port, which speaks JSON",
    { image: 'nats:2', ports: [tcp('client', 4222), tcp('monitoring', 8222)] },
  ],
  ['a remote-write receiver', { image: 'registry.example/store:1', ports: [tcp('prom-write', 9201)] }],
  [
    'a port that only sounds like it',
    { image: 'registry.example/shop:1', ports: [tcp('promo', 8080), tcp('econometrics', 8081)] },
  ],
  // Ports that prove nothing.
  ['a lone unnamed port', { image: 'registry.example/app:1', ports: [{ containerPort: 8080 }] }],
  [
    'an administration port',
    { image: 'registry.example/app:1', ports: [tcp('admin', 9901), tcp('debug', 6060), tcp('management', 8081)] },
  ],
  [
    'a health probe that is not an actuator',
    {
      image: 'registry.example/app:1',
      ports: [tcp('http', 8080)],
      livenessProbe: { httpGet: { path: '/health', port: 'http' } },
    },
  ],
];

for (const [says, container] of NEGATIVES) {
  test(`${says} is not annotated`, () => {
    for (const rules of RULE_SETS) {
      const decision = decide({ metadata: {}, spec: { containers: [{ name: 'app', ...container }] } }, rules);
      assert.equal(decision.outcome, 'skip', decision.outcome === 'annotate' ? decision.rule : '');
    }
  });
}

// What has metrics behind TLS, and must not be written as http.
const GUARDED: typeof NEGATIVES = [
  [
    'metrics-server',
    {
      name: 'metrics-server',
      image: 'registry.k8s.io/metrics-server/metrics-server:v0.8.0',
      args: ['--secure-port=10250'],
      ports: [tcp('https', 10250)],
    },
  ],
  [
    "a manager on the scaffold's port, configured by a file",
    { image: 'registry.k8s.io/lws/lws:v0.7.0', ports: [tcp('metrics', 8443)] },
  ],
  [
    "an OpenShift operator on the port that OpenShift's operators share",
    { image: 'quay.io/openshift/origin-cluster-samples-operator:latest', ports: [tcp('metrics', 60000)] },
  ],
];

for (const [says, container] of GUARDED) {
  test(`${says} is found, and annotated as https or not at all`, () => {
    const [plain, https] = RULE_SETS.map((rules) =>
      decide({ metadata: {}, spec: { containers: [{ name: 'app', ...container }] } }, rules),
    );
    assert.deepEqual([plain?.outcome, plain?.outcome === 'skip' && plain.reason], ['skip', 'https_endpoint']);
    assert.equal(https?.outcome === 'annotate' && https.endpoints[0].scheme, 'https');
  });
}
