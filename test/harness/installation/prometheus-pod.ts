import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART } from '../chart/render.ts';
import { component } from '../build/components.ts';
import type { Sample } from '../programs/prometheus.ts';
import { scratchImage } from '../build/scratch-image.ts';
import { waitFor } from '../process/wait-for.ts';
import type { Cluster } from './cluster.ts';
import { apply, namespace } from './workload.ts';

/** Labels, of a target or a series. */
export type Labels = Readonly<Record<string, string>>;

/** A target as Prometheus sees it. */
export interface ActiveTarget {
  readonly labels: Labels;
  readonly scrapeUrl: string;
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
}

/**
 * A Prometheus in the cluster, where it reaches the pods of whichever cluster it is, with Kubernetes discovery, the
 * community chart's annotation rules and our alerts.
 */
export interface Prometheus {
  query(expression: string): Promise<Sample[]>;
  /** The targets with these labels. */
  targets(labels: Labels): Promise<ActiveTarget[]>;
  /** The one target with these labels, once it is up. */
  upTarget(labels: Labels): Promise<ActiveTarget>;
  isFiring(alert: string): Promise<boolean>;
}

const NAME = 'prometheus';
const NAMESPACE = 'installation-prometheus';
const IMAGE = 'localhost/prometheus:test';
const USER = 65534;

/** The API server's way to Prometheus. */
export const PROMETHEUS = `/api/v1/namespaces/${NAMESPACE}/pods/${NAME}:9090/proxy`;

/** Starts Prometheus as a pod, and returns it once it answers. */
export async function startPrometheus(cluster: Cluster): Promise<Prometheus> {
  const archive = join(cluster.directory, 'prometheus.tar');
  const executable = await component('prometheus');
  await cluster.loadImage(await scratchImage(archive, { name: IMAGE, executable, user: String(USER) }));
  await apply(cluster, namespace(NAMESPACE, {}), ...rights(), await configuration(), pod());
  const prometheus = client(cluster);
  await waitFor('Prometheus to answer', async () => (await prometheus.query('vector(1)')).length === 1, {
    seconds: 90,
  });
  return prometheus;
}

function client({ request }: Cluster): Prometheus {
  const get = async <Data>(path: string): Promise<Data> => {
    const { status, body } = await request<{ data: Data }>('GET', `${PROMETHEUS}/api/v1/${path}`);
    if (status !== 200) throw new Error(`Prometheus: ${path}: status ${status}: ${JSON.stringify(body)}`);
    return body.data;
  };
  const targets = async (labels: Labels): Promise<ActiveTarget[]> => {
    const { activeTargets } = await get<{ activeTargets: ActiveTarget[] }>('targets?state=active');
    return activeTargets.filter((target) => has(target.labels, labels));
  };
  return {
    targets,
    async query(expression) {
      const { result } = await get<{ result: { metric: Labels; value: [number, string] }[] }>(
        `query?query=${encodeURIComponent(expression)}`,
      );
      return result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }));
    },
    async upTarget(labels) {
      let seen: ActiveTarget[] = [];
      try {
        return await waitFor(
          `one target ${JSON.stringify(labels)} to be up`,
          async () => {
            seen = await targets(labels);
            const [target, second] = seen;
            return target?.health === 'up' && second === undefined && target;
          },
          { seconds: 180, everyMs: 500 },
        );
      } catch (cause) {
        throw new Error(`Prometheus has ${JSON.stringify(seen)}`, { cause });
      }
    },
    async isFiring(alert) {
      const { alerts } = await get<{ alerts: { labels: Labels; state: string }[] }>('alerts');
      return alerts.some(({ labels, state }) => labels['alertname'] === alert && state === 'firing');
    },
  };
}

function has(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

async function configuration(): Promise<unknown> {
  const jobs: unknown = parse(await readFile(join(import.meta.dirname, '../consumers/community-chart.yaml'), 'utf8'));
  if (!Array.isArray(jobs)) throw new Error("the community chart's jobs are no list");
  const account = '/var/run/secrets/kubernetes.io/serviceaccount';
  const apiServer = {
    job_name: 'kubernetes-apiservers',
    scheme: 'https',
    // Its page of metrics is megabytes long.
    scrape_interval: '5s',
    tls_config: { ca_file: `${account}/ca.crt` },
    authorization: { credentials_file: `${account}/token` },
    kubernetes_sd_configs: [{ role: 'endpoints', namespaces: { names: ['default'] } }],
    relabel_configs: [
      {
        source_labels: ['__meta_kubernetes_service_name', '__meta_kubernetes_endpoint_port_name'],
        regex: 'kubernetes;https',
        action: 'keep',
      },
    ],
  };
  const config = {
    // Short, because a test waits for what is seen.
    global: { scrape_interval: '2s', evaluation_interval: '2s' },
    rule_files: ['/etc/prometheus/alerts.yaml'],
    scrape_configs: [...jobs, apiServer],
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME, namespace: NAMESPACE },
    data: {
      'prometheus.yaml': JSON.stringify(config),
      'alerts.yaml': await readFile(join(CHART, 'files', 'alerts.yaml'), 'utf8'),
    },
  };
}

function rights(): unknown[] {
  const resources = ['nodes', 'services', 'endpoints', 'pods', 'namespaces'];
  const verbs = ['get', 'list', 'watch'];
  const labels = { 'autoscrape.io/test': 'yes' };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace: NAMESPACE } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: NAMESPACE, labels },
      rules: [
        { apiGroups: [''], resources, verbs },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
        { nonResourceURLs: ['/metrics'], verbs: ['get'] },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: NAMESPACE, labels },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAMESPACE },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: NAMESPACE }],
    },
  ];
}

function pod(): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: NAME, namespace: NAMESPACE },
    spec: {
      serviceAccountName: NAME,
      securityContext: { runAsUser: USER, fsGroup: USER },
      containers: [
        {
          name: NAME,
          image: IMAGE,
          imagePullPolicy: 'IfNotPresent',
          args: ['--config.file=/etc/prometheus/prometheus.yaml', '--storage.tsdb.path=/data'],
          ports: [{ containerPort: 9090 }],
          volumeMounts: [
            { name: 'configuration', mountPath: '/etc/prometheus' },
            { name: 'data', mountPath: '/data' },
          ],
        },
      ],
      volumes: [
        { name: 'configuration', configMap: { name: NAME } },
        { name: 'data', emptyDir: {} },
      ],
    },
  };
}
