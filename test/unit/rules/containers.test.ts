import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

// Which container's port is taken, and which is not: each pod beside its opposite.

const tcp = (name: string, containerPort: number) => ({ ...(name && { name }), containerPort });
const app = { name: 'app', image: 'registry.example/shop:1', ports: [tcp('web', 8080)] };

const PODS: readonly (readonly [says: string, spec: object, want: string])[] = [
  [
    'a second container whose port says metrics',
    { containers: [app, { name: 'stats', image: 'registry.example/stats:1', ports: [tcp('prom', 9300)] }] },
    ':9300/metrics',
  ],
  [
    'a second container whose port says something else',
    { containers: [app, { name: 'stats', image: 'registry.example/stats:1', ports: [tcp('admin', 9300)] }] },
    'no_candidate',
  ],
  [
    'an init container, which has ended before anything is scraped',
    {
      initContainers: [{ name: 'load', image: 'registry.example/load:1', ports: [tcp('metrics', 9300)] }],
      containers: [app],
    },
    'no_candidate',
  ],
  [
    'the same as a native sidecar',
    {
      initContainers: [
        { name: 'load', image: 'registry.example/load:1', restartPolicy: 'Always', ports: [tcp('metrics', 9300)] },
      ],
      containers: [app],
    },
    ':9300/metrics',
  ],
  [
    "an operator's exporter beside the operator",
    {
      containers: [
        { name: 'operator', image: 'registry.example/shop-operator:1' },
        { name: 'metrics-exporter', image: 'registry.example/shop-exporter:1', ports: [tcp('metrics', 8888)] },
      ],
    },
    ':8888/metrics',
  ],
  [
    'an operator alone',
    { containers: [{ name: 'operator', image: 'registry.example/shop-operator:1' }] },
    'no_candidate',
  ],
  [
    'a port that only begins with the word, beside the one that is the word',
    {
      containers: [
        {
          name: 'operator',
          image: 'registry.example/scaler:1',
          ports: [tcp('metricsservice', 9666), tcp('metrics', 8080)],
        },
      ],
    },
    ':8080/metrics',
  ],
  [
    'one image in several roles, told apart by the name of the container',
    {
      containers: [
        { name: 'argocd-repo-server', image: 'quay.io/argoproj/argocd:v3.1.0', ports: [tcp('', 8081), tcp('', 8084)] },
      ],
    },
    ':8084/metrics',
  ],
  [
    'the same image in another role',
    {
      containers: [
        { name: 'argocd-server', image: 'quay.io/argoproj/argocd:v3.1.0', ports: [tcp('', 8080), tcp('', 8083)] },
      ],
    },
    ':8083/metrics',
  ],
  [
    'the same image in a role without metrics',
    { containers: [{ name: 'copyutil', image: 'quay.io/argoproj/argocd:v3.1.0', ports: [tcp('', 8084)] }] },
    'no_candidate',
  ],
  [
    'an inference server with its switch for metrics, at a port of its own',
    {
      containers: [
        {
          name: 'llm',
          image: 'ghcr.io/ggml-org/llama.cpp:server',
          args: ['--metrics', '--port', '9000'],
          ports: [tcp('api', 9000)],
        },
      ],
    },
    ':9000/metrics',
  ],
  [
    'the same without the switch',
    {
      containers: [
        {
          name: 'llm',
          image: 'ghcr.io/ggml-org/llama.cpp:server',
          args: ['--port', '9000'],
          ports: [tcp('api', 9000)],
        },
      ],
    },
    'no_candidate',
  ],
];

for (const [says, spec, want] of PODS)
  test(`${says}: ${want}`, () => {
    const decision = decide({ metadata: {}, spec }, defaultRules());
    const got =
      decision.outcome === 'skip' ? decision.reason : `:${decision.endpoints[0].port}${decision.endpoints[0].path}`;
    assert.equal(got, want);
  });
