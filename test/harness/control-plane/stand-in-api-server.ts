import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { annotated } from '../../../bench/pod.ts';

/**
 * A stand-in for the API server, for more pods than the real one can be given in a test's time. It lists (in pages), watches (from a
 * version, with 410 for one that it no longer has), reads and patches pods, lists Services, and keeps one Lease. All namespaces are opted in.
 */
export interface StandIn {
  /** A kubeconfig for it, as JSON. */
  readonly kubeconfig: string;
  /** What it was asked for, by verb and resource such as `list pods`. */
  readonly calls: Map<string, number>;
  /** Called after each patch with `namespace/name` and the status that it was answered with. */
  onPatch: (pod: string, status: number) => void;
  createPod(namespace: string, name: string): void;
  /** Gives every pod of a namespace a new version, as a kubelet does that reports their status. */
  touchPods(namespace: string): void;
  annotatedPods(): number;
  /** Returns the annotations of a pod, none where there is no such pod. */
  annotationsOf(namespace: string, name: string): Readonly<Record<string, string>>;
  openWatches(): number;
  /** Destroys every connection that a watch of pods runs on, and returns how many watches there were. */
  cutWatches(): number;
  close(): void;
}

export interface StandInOptions {
  /** Names of the namespaces, and how many pods each has to begin with. */
  readonly namespaces: ReadonlyMap<string, number>;
  /** Whether a pod has our annotations to begin with. */
  readonly isAnnotated: (namespace: string, index: number) => boolean;
  /** Namespaces where every patch of a pod is refused, as by a validating policy. */
  readonly refusing?: ReadonlySet<string>;
  /** The specification that all pods have; some 6 KB unless given. */
  readonly spec?: object;
  /** What a pod consists of besides its name and annotations, where pods differ. Comes before `spec`. */
  readonly podAt?: (namespace: string, index: number) => PodParts;
  readonly services?: readonly object[];
  /** Serves HTTPS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** What makes up a pod. */
export interface PodParts {
  readonly metadata: object;
  readonly spec: object;
  readonly status: object;
}

interface Pod {
  /** Its number within its namespace, and its version at its creation. */
  readonly index: number;
  readonly created: number;
  version: number;
  /** Its annotations as JSON: pods share the string. */
  annotations: string;
}

const OURS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'prometheus.io/path': '/metrics' };
const ANNOTATED = JSON.stringify({
  ...OURS,
  'autoscrape.io/injected': JSON.stringify({ rule: 'metrics-port', added: OURS }),
});

/** Returns the name of the pod with this number in a namespace. */
export function podName(index: number): string {
  return `app-5d4f8c7b9-${index}`;
}

/** Labels that all pods have. */
const LABELS = JSON.stringify(annotated.metadata.labels);

/** Returns a running stand-in. */
export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const spec = JSON.stringify(options.spec ?? annotated.spec);
  let version = 1;
  let lease: object | undefined;
  const namespaces = new Map<string, Map<string, Pod>>();
  const watches = new Map<string, Set<ServerResponse>>();
  const events = new Map<string, { readonly version: number; readonly line: string }[]>();
  const calls = new Map<string, number>();
  const annotations = new Map<string, string>();
  let known = 0;
  for (const [namespace, count] of options.namespaces) {
    const pods = new Map<string, Pod>();
    for (let index = 0; index < count; index += 1) {
      version += 1;
      const has = options.isAnnotated(namespace, index);
      if (has) known += 1;
      pods.set(podName(index), { index, created: version, version, annotations: has ? ANNOTATED : '{}' });
    }
    namespaces.set(namespace, pods);
  }

  function json({ index, created, version: at, annotations: own }: Pod, namespace: string, name: string): string {
    const parts = options.podAt?.(namespace, index);
    const [rest, ownSpec, status] =
      parts === undefined
        ? [`"labels":${LABELS}`, spec, '{"phase":"Running"}']
        : [JSON.stringify(parts.metadata).slice(1, -1), JSON.stringify(parts.spec), JSON.stringify(parts.status)];
    return (
      `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}","namespace":"${namespace}",` +
      `"uid":"00000000-0000-4000-8000-${String(created).padStart(12, '0')}","resourceVersion":"${at}",${rest},` +
      `"annotations":${own}},"spec":${ownSpec},"status":${status}}`
    );
  }

  function changed(type: 'ADDED' | 'MODIFIED', namespace: string, name: string, pod: Pod): void {
    const line = `{"type":"${type}","object":${json(pod, namespace, name)}}\n`;
    const log = events.get(namespace) ?? [];
    log.push({ version: pod.version, line });
    if (log.length > 100) log.shift();
    events.set(namespace, log);
    for (const response of watches.get(namespace) ?? []) response.write(line);
  }

  function list(response: ServerResponse, url: URL, namespace: string): void {
    const pods = namespaces.get(namespace) ?? new Map<string, Pod>();
    const from = Number(url.searchParams.get('continue') ?? 0);
    const to = from + Number(url.searchParams.get('limit'));
    const items = [...pods].slice(from, to).map(([name, pod]) => json(pod, namespace, name));
    const next = to < pods.size ? `,"continue":"${to}"` : '';
    answer(response, 200, `{"metadata":{"resourceVersion":"${version}"${next}},"items":[${items.join()}]}`);
  }

  function watch(response: ServerResponse, url: URL, namespace: string): void {
    const from = Number(url.searchParams.get('resourceVersion'));
    const log = events.get(namespace) ?? [];
    response.writeHead(200, { 'content-type': 'application/json' });
    const oldest = log[0]?.version ?? 0;
    if (log.length === 100 && from < oldest) {
      response.end('{"type":"ERROR","object":{"code":410,"message":"too old resource version"}}\n');
      return;
    }
    response.flushHeaders();
    for (const event of log) if (event.version > from) response.write(event.line);
    const open = watches.get(namespace) ?? new Set();
    watches.set(namespace, open.add(response));
    response.on('close', () => open.delete(response));
  }

  async function patch(
    request: IncomingMessage,
    response: ServerResponse,
    namespace: string,
    name: string,
  ): Promise<void> {
    const pod = namespaces.get(namespace)?.get(name);
    const operations: { op: string; path: string; value: unknown }[] = JSON.parse(await text(request));
    const status = (() => {
      if (pod === undefined) return 404;
      const stale = operations.some(({ op, value }) => op === 'test' && value !== String(pod.version));
      if (stale) return 422;
      return options.refusing?.has(namespace) === true ? 403 : 200;
    })();
    if (pod === undefined || status !== 200) {
      answer(response, status, JSON.stringify({ message: `pods "${name}" is forbidden: a policy denied request: no` }));
    } else {
      const own: Record<string, unknown> = JSON.parse(pod.annotations);
      for (const { path, value } of operations) {
        const key = path.startsWith('/metadata/annotations/') ? path.slice('/metadata/annotations/'.length) : undefined;
        if (key !== undefined) own[key.replaceAll('~1', '/').replaceAll('~0', '~')] = value;
        else if (path === '/metadata/annotations') Object.assign(own, value);
      }
      const asText = JSON.stringify(own);
      annotations.set(asText, annotations.get(asText) ?? asText);
      pod.annotations = annotations.get(asText) ?? asText;
      pod.version = version += 1;
      known += 1;
      changed('MODIFIED', namespace, name, pod);
      answer(response, 200, json(pod, namespace, name));
    }
    standIn.onPatch(`${namespace}/${name}`, status);
  }

  async function leases(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (request.method === 'POST' || request.method === 'PUT') {
      const written: { metadata: object } = JSON.parse(await text(request));
      lease = { ...written, metadata: { ...written.metadata, resourceVersion: String((version += 1)) } };
      return answer(response, 200, JSON.stringify(lease));
    }
    if (url.searchParams.has('watch')) return watch(response, url, '');
    const items = lease === undefined ? [] : [lease];
    return answer(response, 200, JSON.stringify({ metadata: { resourceVersion: String(version) }, items }));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://here');
    const [resource = '', namespace = '', , name] = url.pathname.startsWith('/api/v1/')
      ? url.pathname.split('/').slice(3)
      : ['leases'];
    const isWatch = url.searchParams.has('watch');
    const isOfPods = namespace !== '';
    const verb =
      request.method !== 'GET' ? String(request.method) : isWatch ? 'watch' : name === undefined ? 'list' : 'get';
    const call = `${verb.toLowerCase()} ${isOfPods ? 'pods' : resource}`;
    calls.set(call, (calls.get(call) ?? 0) + 1);
    if (resource === 'leases') return leases(request, response, url);
    if (resource === 'services' && !isWatch) {
      return answer(
        response,
        200,
        JSON.stringify({ metadata: { resourceVersion: String(version) }, items: options.services ?? [] }),
      );
    }
    if (!isOfPods) {
      if (isWatch) return watch(response, url, '');
      const labels = { 'autoscrape.io/inject': 'enabled' };
      const items = [...namespaces.keys()].map((of) => ({ metadata: { name: of, labels } }));
      return answer(response, 200, JSON.stringify({ metadata: { resourceVersion: String(version) }, items }));
    }
    if (name === undefined) return isWatch ? watch(response, url, namespace) : list(response, url, namespace);
    if (request.method === 'PATCH') return patch(request, response, namespace, name);
    const pod = namespaces.get(namespace)?.get(name);
    return pod === undefined ? answer(response, 404, '{}') : answer(response, 200, json(pod, namespace, name));
  }

  const onRequest = (request: IncomingMessage, response: ServerResponse) => void handle(request, response);
  const server = options.tls === undefined ? createServer(onRequest) : createSecureServer(options.tls, onRequest);
  const sockets = new Set<{ destroy(): void }>();
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = server.address() as AddressInfo;
  const scheme = options.tls === undefined ? 'http' : 'https';
  const standIn: StandIn = {
    kubeconfig: JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: `${scheme}://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
    calls,
    onPatch: () => undefined,
    createPod(namespace, name) {
      version += 1;
      const index = namespaces.get(namespace)?.size ?? 0;
      const pod = { index, created: version, version, annotations: '{}' };
      namespaces.get(namespace)?.set(name, pod);
      changed('ADDED', namespace, name, pod);
    },
    touchPods(namespace) {
      for (const [name, pod] of namespaces.get(namespace) ?? []) {
        pod.version = version += 1;
        changed('MODIFIED', namespace, name, pod);
      }
    },
    annotatedPods: () => known,
    annotationsOf: (namespace, name) => JSON.parse(namespaces.get(namespace)?.get(name)?.annotations ?? '{}'),
    openWatches: () => [...watches].reduce((sum, [namespace, open]) => sum + (namespace === '' ? 0 : open.size), 0),
    cutWatches() {
      const open = [...watches].flatMap(([namespace, responses]) => (namespace === '' ? [] : [...responses]));
      for (const response of open) response.socket?.destroy();
      return open.length;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return standIn;
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(body);
}
