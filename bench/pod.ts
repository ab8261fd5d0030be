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

/** The same pod as the API server sends it, which has written there who set which fields: they double its size. */
export const reviewed = {
  ...annotated,
  metadata: {
    ...annotated.metadata,
    managedFields: [
      {
        manager: 'kube-controller-manager',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2026-01-31T12:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: fieldsOf({ metadata: annotated.metadata, spec: annotated.spec }),
      },
    ],
  },
};

/** Returns the fields of a value as `fieldsV1` has them: objects by their keys, objects of a list by what tells them apart. */
function fieldsOf(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      `f:${key}`,
      Array.isArray(member) && typeof member[0] === 'object'
        ? Object.fromEntries(member.map((item) => [`k:${JSON.stringify(keyOf(item))}`, { '.': {}, ...fieldsOf(item) }]))
        : fieldsOf(member),
    ]),
  );
}

function keyOf({ name, mountPath, containerPort, protocol }: Readonly<Record<string, unknown>>): object {
  if (mountPath !== undefined) return { mountPath };
  return containerPort === undefined ? { name } : { containerPort, protocol };
}
