import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';
import { listenOnLoopback } from '../../harness/process/listen.ts';

/** What a port of a pod answers: by path, and to every other path. */
export type Site = Readonly<Record<string, (response: ServerResponse) => void>>;

/** The objects of one namespace, and what its pods answer. */
export interface Cluster {
  readonly namespaceLabels?: Readonly<Record<string, string>>;
  readonly pods: readonly { readonly metadata: { readonly name: string }; readonly [key: string]: unknown }[];
  readonly services?: readonly unknown[];
  /** Controllers by their path. */
  readonly controllers?: Readonly<Record<string, unknown>>;
  /** Further collections by their path. */
  readonly lists?: Readonly<Record<string, readonly unknown[]>>;
  /** By `pod:port`; nothing listens at other ports. */
  readonly sites?: Readonly<Record<string, Site>>;
  /** Whether the account may get pods/proxy. */
  readonly mayProxy?: boolean;
  /** Paths that the account has no right to read. */
  readonly forbidden?: readonly string[];
  /** What the Service prometheus:9090 in the namespace monitoring answers, through the API server. */
  readonly prometheus?: Site;
}

/** A running API server with one namespace, `shop`. */
export interface RunningCluster {
  readonly kubeconfig: string;
  /** The requests to pods, as `pod:port path`. */
  readonly asked: string[];
  /** The headers of the last request to a pod. */
  readonly headers: () => IncomingMessage['headers'];
  /** How often the kubeconfig's exec plugin, which gives the token, has been started. */
  readonly logins: () => Promise<number>;
}

const EXEC = 'client.authentication.k8s.io/v1';
const PROMETHEUS = '/api/v1/namespaces/monitoring/services/prometheus:9090/proxy';
const PROXY = /^\/api\/v1\/namespaces\/shop\/pods\/([^/:]+:\d+)\/proxy(\/.*)$/;

/** Starts an API server that passes requests on to pods as Kubernetes' does, and ends with the test. */
export async function startCluster(t: TestContext, cluster: Cluster): Promise<RunningCluster> {
  const asked: string[] = [];
  let headers: IncomingMessage['headers'] = {};

  function pass(place: string, path: string, response: ServerResponse): void {
    asked.push(`${place} ${path}`);
    const site = cluster.sites?.[place];
    if (site === undefined) {
      const message = 'error trying to reach service: dial tcp 10.1.2.3:1: connect: connection refused';
      json(response, 503, { kind: 'Status', apiVersion: 'v1', reason: 'ServiceUnavailable', code: 503, message });
    } else (site[path] ?? site['*'] ?? notFound)(response);
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '', 'http://here');
    const [, place, path] = PROXY.exec(request.url ?? '') ?? [];
    if (place !== undefined && path !== undefined) {
      headers = request.headers;
      return pass(place, path, response);
    }
    if (cluster.forbidden?.includes(pathname) === true)
      return json(response, 403, { kind: 'Status', apiVersion: 'v1', message: 'forbidden' });
    if (request.url?.startsWith(PROMETHEUS) === true)
      return (
        cluster.prometheus?.[request.url.slice(PROMETHEUS.length)] ??
        cluster.prometheus?.[pathname.slice(PROMETHEUS.length)] ??
        notFound
      )(response);
    if (pathname.endsWith('/selfsubjectaccessreviews'))
      return json(response, 201, { status: { allowed: cluster.mayProxy ?? true } });
    if (pathname === '/api/v1/namespaces/shop')
      return json(response, 200, { metadata: { name: 'shop', labels: cluster.namespaceLabels ?? {} } });
    if (pathname === '/api/v1/configmaps') return json(response, 200, { metadata: {}, items: [] });
    if (pathname === '/version') return json(response, 200, { gitVersion: 'v1.37.0' });
    const more = cluster.lists?.[pathname];
    if (more !== undefined) return json(response, 200, { metadata: {}, items: more });
    if (pathname.endsWith('/mutatingwebhookconfigurations') || pathname === '/apis/apps/v1/deployments')
      return json(response, 200, { metadata: {}, items: [] });
    if (pathname.endsWith('/pods')) return json(response, 200, { metadata: {}, items: cluster.pods });
    if (pathname.endsWith('/services')) return json(response, 200, { metadata: {}, items: cluster.services ?? [] });
    const pod = cluster.pods.find(({ metadata }) => pathname.endsWith(`/pods/${metadata.name}`));
    const found = pod ?? cluster.controllers?.[pathname];
    return found === undefined
      ? json(response, 404, { kind: 'Status', apiVersion: 'v1', message: 'not found' })
      : json(response, 200, found);
  }

  const server = createServer(answer);
  const port = await listenOnLoopback(t, server);
  const folder = await temporaryFolder(t);
  const [kubeconfig, logins] = [join(folder, 'config'), join(folder, 'logins')];
  const credential = { apiVersion: EXEC, kind: 'ExecCredential', status: { token: 'secret' } };
  await writeFile(logins, '');
  const args = ['-c', `echo >> '${logins}'; sleep 0.05; echo '${JSON.stringify(credential)}'`];
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { exec: { apiVersion: EXEC, command: 'sh', args, interactiveMode: 'Never' } } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
      'current-context': 'x',
    }),
  );
  return {
    kubeconfig,
    asked,
    headers: () => headers,
    logins: async () => (await readFile(logins, 'utf8')).length,
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function notFound(response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain' }).end('no');
}
