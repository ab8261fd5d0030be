import { toResult } from '../../../src/kube/client.ts';
import type { ApiRequest, ApiResponse, Kube, WatchStream } from '../../../src/kube/client.ts';

/**
 * Returns a cluster that responds as `respond` says. Nothing happens on its watches unless `watch`
 * says otherwise.
 */
export function fakeKube(
  respond: (request: ApiRequest) => ApiResponse | Promise<ApiResponse>,
  watch: (path: string, signal: AbortSignal) => WatchStream = (_, signal) => ({ status: 200, lines: silence(signal) }),
): Kube {
  return {
    server: 'https://fake',
    namespace: 'default',
    inCluster: false,
    async request(request) {
      try {
        return toResult(await respond(request));
      } catch (error) {
        return { ok: false, error: { status: 0, message: error instanceof Error ? error.message : String(error) } };
      }
    },
    watch: async (path, _query, _silenceMs, signal) => watch(path, signal),
    open: () => Promise.reject(new Error('there is no proxy')),
    forward: () => Promise.reject(new Error('there is no port-forward')),
    close: () => Promise.resolve(),
  };
}

/** Calls the request's `onItem` with the items, and returns the response to a list. */
export function listOf(request: ApiRequest, items: readonly unknown[]): ApiResponse {
  for (const item of items) request.onItem?.(item);
  return { status: 200, body: { metadata: { resourceVersion: '1000' } } };
}

/** The response when an admission plugin forbids a change. */
export const FORBIDDEN: ApiResponse = { status: 403, body: { message: 'pods is forbidden: not this one' } };

/** The response when a right is missing. */
export const RIGHT_IS_MISSING: ApiResponse = {
  status: 403,
  body: {
    message: 'pods "a" is forbidden: User "x" cannot patch resource "pods" in API group "" in the namespace "shop"',
  },
};

/** Returns a namespace that is opted in, or whose label has another value. */
export function optedIn(name: string, value = 'enabled'): object {
  return { metadata: { name, labels: { 'autoscrape.io/inject': value } } };
}

/** Returns a pod with a metrics port. */
export function podNamed(name: string, metadata: object = {}): object {
  return {
    metadata: { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion: '1', ...metadata },
    spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
  };
}

/** Never responds; rejects at the request's timeout or when its signal aborts. */
export function hang({ signal, timeoutMs = 60_000 }: ApiRequest): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing came')), timeoutMs);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('aborted'));
    });
  });
}

/** Yields the lines of a watch on which nothing happens until the signal aborts. */
export async function* silence(signal: AbortSignal): AsyncGenerator<unknown, void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  yield* [];
}
