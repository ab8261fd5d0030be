import { request as requestHttp } from 'node:http';
import type { ClientRequest } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { JsonObject } from '../core/json.ts';
import { isObject, objectIn, objectsIn, text } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { SERVICES_PATH } from '../kube/api-paths.ts';
import type { Kube } from '../kube/client.ts';
import { listAll } from '../kube/list.ts';
import type { PodProxy, ServicePort } from '../kube/pod-proxy.ts';

/** A Prometheus, and how its API is read. */
export interface Prometheus {
  /** Such as `Prometheus monitoring/prometheus-server`. */
  readonly name: string;
  /** Returns the JSON at a path of its API, or why there is none. Never rejects. */
  readonly get: (path: string) => Promise<Result<unknown, string>>;
}

/** The labels of its Service in the charts, and in most manifests. */
const SELECTORS = ['app.kubernetes.io/name=prometheus', 'app=prometheus'];

/** Of those that are found by their labels. */
const MAX_FOUND = 3;

/** Returns those that have the well-known labels, at most three, or what is needed for finding them. */
export async function findPrometheus(
  kube: Pick<Kube, 'request'>,
  proxy: PodProxy,
  signal: AbortSignal,
): Promise<Result<readonly Prometheus[], string>> {
  const found = new Map<string, ServicePort>();
  for (const labelSelector of SELECTORS) {
    const services: unknown[] = [];
    const listed = await listAll(
      kube,
      { path: SERVICES_PATH, query: { labelSelector } },
      (service) => services.push(service),
      signal,
    );
    if (!listed.ok)
      return {
        ok: false,
        error: listed.error.status === 403 ? 'list on services, or --prometheus' : `an answer: ${listed.error.message}`,
      };
    for (const service of services) {
      const at = servicePort(service);
      if (at !== undefined) found.set(`${at.namespace}/${at.service}`, at);
    }
  }
  if (found.size === 0)
    return {
      ok: false,
      error: '--prometheus: no Service has the label app.kubernetes.io/name=prometheus or app=prometheus',
    };
  return { ok: true, value: [...found.values()].slice(0, MAX_FOUND).map((at) => throughService(at, proxy)) };
}

function servicePort(service: unknown): ServicePort | undefined {
  const { namespace, name } = objectIn(service, 'metadata');
  const ports = objectsIn(objectIn(service, 'spec'), 'ports');
  const port = ports.find(isWeb) ?? ports[0];
  if (port === undefined || text(name) === '') return undefined;
  return { namespace: text(namespace), service: text(name), port: String(port['port']) };
}

function isWeb({ name, port }: JsonObject): boolean {
  return port === 9090 || ['http', 'web', 'http-web'].includes(text(name));
}

/** Returns the Prometheus, given the way through the API server. */
export type PrometheusPlace = (proxy: PodProxy) => Prometheus;

/** Returns where `svc/NAMESPACE/NAME:PORT` or a URL is; undefined for anything else. */
export function readPrometheusPlace(where: string): PrometheusPlace | undefined {
  const [, namespace, service, port] = /^svc\/([a-z0-9-]+)\/([a-z0-9-]+):([a-z0-9-]+)$/.exec(where) ?? [];
  if (namespace !== undefined && service !== undefined && port !== undefined)
    return (proxy) => throughService({ namespace, service, port }, proxy);
  const url = URL.parse(where);
  return url !== null && /^https?:$/.test(url.protocol) ? () => atUrl(url) : undefined;
}

/** Returns the Prometheus behind a Service, which the API server asks. */
function throughService(at: ServicePort, proxy: PodProxy): Prometheus {
  return {
    name: `Prometheus ${at.namespace}/${at.service}`,
    get: (path) => readJson(() => proxy.getService(at, path, { accept: 'application/json' })),
  };
}

/** Returns the Prometheus at a URL, which is asked directly. */
function atUrl(url: URL): Prometheus {
  const base = url.href.replace(/\/$/, '');
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return {
    name: `Prometheus ${url.host}`,
    get: (path) => readJson(() => Promise.resolve(request(base + path, { headers: { accept: 'application/json' } }))),
  };
}

/** In ms. */
const TIMEOUT = 15_000;

/** In bytes: 60,000 targets. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** Redirects are not followed: a Service could lead anywhere. */
async function readJson(open: () => Promise<ClientRequest>): Promise<Result<unknown, string>> {
  let request: ClientRequest | undefined;
  const timer = setTimeout(() => request?.destroy(new Error(`no whole answer within ${TIMEOUT / 1000} s`)), TIMEOUT);
  try {
    const opened = await open();
    request = opened;
    const chunks: Buffer[] = [];
    const status = await new Promise<number>((resolve, reject) => {
      opened.on('error', reject);
      opened.on('response', (response) => {
        let size = 0;
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER) opened.destroy(new Error('the answer is larger than 64 MiB'));
          else chunks.push(chunk);
        });
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      opened.end();
    });
    if (status !== 200) return { ok: false, error: explainStatus(status) };
    const answer: unknown = JSON.parse(Buffer.concat(chunks).toString());
    return isObject(answer) && answer['status'] === 'success'
      ? { ok: true, value: answer }
      : { ok: false, error: "an answer of Prometheus' form" };
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, error: 'an answer in JSON: it is another page' };
    return { ok: false, error: `an answer: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    clearTimeout(timer);
  }
}

function explainStatus(status: number): string {
  if (status === 401 || status === 403) return `get on services/proxy, or a login of Prometheus: status ${status}`;
  return `an answer with status 200: it is ${status}`;
}
