/** What distinguishes a pod; without a port named `metrics` and an image of the catalogue no rule finds anything. */
export interface Kind {
  readonly image?: string;
  readonly port?: { readonly name?: string; readonly containerPort: number };
}

/** A pod of 6 KB with 60 variables, as a chart with many settings makes it. */
export function podOf({ image = 'registry.example/team/app:1.4.2', port = { containerPort: 8080 } }: Kind = {}) {
  const env = Array.from({ length: 60 }, (_, i) => ({
    name: `A_SETTING_NUMBER_${i}`,
    value: `value-of-the-setting-${i}`.repeat(2),
  }));
  const container = {
    name: 'app',
    image,
    args: ['serve', '--log-level=info', '--config=/etc/app/config.yaml'],
    env,
    ports: [{ ...port, protocol: 'TCP' }],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    livenessProbe: { httpGet: { path: '/healthz', port: port.containerPort } },
    volumeMounts: [{ name: 'config', mountPath: '/etc/app' }],
  };
  const labels = {
    'app.kubernetes.io/name': 'app',
    'app.kubernetes.io/instance': 'bench',
    'pod-template-hash': '5d4f8c7b9',
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'app-5d4f8c7b9-', labels, annotations: { 'example.com/checksum': '0'.repeat(64) } },
    spec: { containers: [container], volumes: [{ name: 'config', configMap: { name: 'app' } }] },
  };
}

/** A pod whose metrics port is called by its name. */
export const annotated = podOf({ port: { name: 'metrics', containerPort: 9464 } });
