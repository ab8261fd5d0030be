import type { Answer, Call, Kube, WatchStream } from '../../../src/kube/client.ts';

/** A cluster that answers calls as it is told, and opens watches on which nothing happens unless told otherwise. */
export function fakeKube(
  answer: (call: Call) => Answer | Promise<Answer>,
  watch: (path: string, signal: AbortSignal) => WatchStream = (_, signal) => ({ status: 200, lines: silence(signal) }),
): Kube {
  return {
    server: 'https://fake',
    namespace: 'default',
    inCluster: false,
    call: async (call) => answer(call),
    watch: async (path, _query, _silenceMs, signal) => watch(path, signal),
    close: () => Promise.resolve(),
  };
}

/** The answer to a list: the items have been handed over. */
export function listOf(call: Call, items: readonly unknown[]): Answer {
  for (const item of items) call.onItem?.(item);
  return { status: 200, body: { metadata: { resourceVersion: '1000' } } };
}

/** What an admission plugin says that forbids something. */
export const FORBIDDEN: Answer = { status: 403, body: { message: 'pods is forbidden: not this one' } };

/** What the API server says to one who lacks the right. */
export const RIGHT_IS_MISSING: Answer = {
  status: 403,
  body: {
    message: 'pods "a" is forbidden: User "x" cannot patch resource "pods" in API group "" in the namespace "shop"',
  },
};

/** A namespace that is opted in, or one whose label says something else. */
export function optedIn(name: string, value = 'enabled'): object {
  return { metadata: { name, labels: { 'autoscrape.io/inject': value } } };
}

/** A pod with a metrics port. */
export function podNamed(name: string, metadata: object = {}): object {
  return {
    metadata: { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion: '1', ...metadata },
    spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
  };
}

/** Never an answer, until the signal. */
export function hang({ signal, timeoutMs = 60_000 }: Call): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing came')), timeoutMs);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('aborted'));
    });
  });
}

/** The lines of a watch on which nothing happens until the signal. */
export async function* silence(signal: AbortSignal): AsyncGenerator<unknown, void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  yield* [];
}
