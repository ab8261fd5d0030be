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
  readonly discoveredLabels: Labels;
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

/** Returns the API server's way to the Prometheus of a namespace. */
export function proxyPath(of: string): string {
  return `/api/v1/namespaces/${of}/pods/${NAME}:9090/proxy`;
}

/** The API server's way to the Prometheus of {@link startPrometheus}. */
export const PROMETHEUS = proxyPath(NAMESPACE);

/** What a Prometheus in the cluster is made of. */
export interface PrometheusPod {
  /** A namespace of its own. */
  readonly namespace: string;
  readonly configuration: object;
  /** Texts that the configuration names, in the folder of the configuration. */
  readonly files?: Readonly<Record<string, string>>;
  /** Whether its account may read what it discovers. */
  readonly mayDiscover?: boolean;
  /** Labels of its Service. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Starts Prometheus as a pod, and returns it once it answers. Its Service has the labels that it is known by. */
export async function startPrometheus(cluster: Cluster): Promise<Prometheus> {
  const archive = join(cluster.directory, 'prometheus.tar');
  const executable = await component('prometheus');
  await cluster.loadImage(await scratchImage(archive, { name: IMAGE, executable, user: String(USER) }));
  return startPrometheusPod(cluster, {
    namespace: NAMESPACE,
    configuration: await configuration(),
    files: { 'alerts.yaml': await readFile(join(CHART, 'files', 'alerts.yaml'), 'utf8') },
    labels: { 'app.kubernetes.io/name': 'prometheus' },
  });
}

/** Starts one more Prometheus, after {@link startPrometheus} has loaded the image, and returns it once it answers. */
export async function startPrometheusPod(cluster: Cluster, made: PrometheusPod): Promise<Prometheus> {
  await apply(
    cluster,
    namespace(made.namespace, {}),
    ...(made.mayDiscover === false ? [account(made.namespace)] : [account(made.namespace), ...rights(made.namespace)]),
    configurationMap(made),
    pod(made.namespace),
    service(made),
  );
  const prometheus = client(cluster, proxyPath(made.namespace));
  await waitFor('Prometheus to answer', async () => (await prometheus.query('vector(1)')).length === 1, {
    seconds: 90,
  });
  return prometheus;
}

function client({ request }: Cluster, proxy: string): Prometheus {
  const get = async <Data>(path: string): Promise<Data> => {
    const { status, body } = await request<{ data: Data }>('GET', `${proxy}/api/v1/${path}`);
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

/** Returns the jobs of the community chart, which read annotations of pods and Services. */
export async function communityJobs(): Promise<readonly unknown[]> {
  const jobs: unknown = parse(await readFile(join(import.meta.dirname, '../consumers/community-chart.yaml'), 'utf8'));
  if (!Array.isArray(jobs)) throw new Error("the community chart's jobs are no list");
  return jobs;
}

/** Short, because a test waits for what is seen. */
export const INTERVALS = { scrape_interval: '2s', evaluation_interval: '2s' };

async function configuration(): Promise<object> {
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
  return {
    global: INTERVALS,
    rule_files: ['/etc/prometheus/alerts.yaml'],
    scrape_configs: [...(await communityJobs()), apiServer],
  };
}

/** Returns what Prometheus reads its configuration from. */
export function configurationMap({ namespace: of, configuration: written, files }: PrometheusPod): unknown {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME, namespace: of },
    data: { 'prometheus.yaml': JSON.stringify(written), ...files },
  };
}

function service({ namespace: of, labels = {} }: PrometheusPod): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: of, labels },
    spec: { selector: { app: NAME }, ports: [{ name: 'http', port: 9090 }] },
  };
}

function account(of: string): unknown {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace: of } };
}

function rights(of: string): unknown[] {
  const resources = ['nodes', 'services', 'endpoints', 'pods', 'namespaces'];
  const verbs = ['get', 'list', 'watch'];
  const labels = { 'autoscrape.io/test': 'yes' };
  return [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: of, labels },
      rules: [
        { apiGroups: [''], resources, verbs },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
        { nonResourceURLs: ['/metrics'], verbs: ['get'] },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: of, labels },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: of },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: of }],
    },
  ];
}

function pod(of: string): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: NAME, namespace: of, labels: { app: NAME } },
    spec: {
      serviceAccountName: NAME,
      securityContext: { runAsUser: USER, fsGroup: USER },
      containers: [
        {
          name: NAME,
          image: IMAGE,
          imagePullPolicy: 'IfNotPresent',
          args: [
            '--config.file=/etc/prometheus/prometheus.yaml',
            '--storage.tsdb.path=/data',
            // So that a test can have it read another configuration.
            '--web.enable-lifecycle',
          ],
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
