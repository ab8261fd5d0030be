import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiRequest } from '../control-plane/api-client.ts';

const EVERY_MS = 200;

/** Pods that were sent to the API server, one after another, while something else went on. */
export interface Creations {
  readonly sent: number;
  /** How many came back without annotations. */
  readonly unannotated: number;
  /** What the API server said to those that it refused. */
  readonly refused: readonly string[];
  readonly slowestMs: number;
}

/** Sends pods to an opted-in namespace until `stop` is called. */
export interface Creator {
  /** Returns what happened to the pods since the last call. */
  readonly report: () => Creations;
  /** Stops, and returns what happened to the pods since the last report. */
  readonly stop: () => Promise<Creations>;
}

/**
 * Has a pod created in `namespace` five times a second, as a dry run: admission is asked as ever, and nothing is stored.
 */
export function createOnAndOn(request: ApiRequest, namespace: string): Creator {
  const stopped = new AbortController();
  let sent: Sent[] = [];
  const working = (async () => {
    while (!stopped.signal.aborted) {
      const start = performance.now();
      sent.push(await createPod(request, namespace));
      await sleep(Math.max(0, EVERY_MS - (performance.now() - start)));
    }
  })();
  const report = (): Creations => {
    const pods = sent;
    sent = [];
    return {
      sent: pods.length,
      unannotated: pods.filter(({ annotated }) => !annotated).length,
      refused: pods.flatMap(({ refusal }) => refusal ?? []),
      slowestMs: Math.round(Math.max(0, ...pods.map(({ ms }) => ms))),
    };
  };
  return {
    report,
    async stop() {
      stopped.abort();
      await working;
      return report();
    },
  };
}

/** What happened to one pod. */
export interface Sent {
  readonly annotated: boolean;
  /** Of an annotated pod: the path to scrape. */
  readonly path: string | undefined;
  readonly refusal: string | undefined;
  readonly ms: number;
}

/** Sends a pod with a port of this name as a dry run. */
export async function createPod(request: ApiRequest, namespace: string, portName = 'metrics'): Promise<Sent> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'created-' },
    spec: {
      containers: [{ name: 'app', image: 'registry.example/app:1', ports: [{ name: portName, containerPort: 9464 }] }],
    },
  };
  const start = performance.now();
  const { status, body } = await request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
  const annotations = body.metadata?.annotations;
  return {
    annotated: annotations?.['prometheus.io/scrape'] === 'true',
    path: annotations?.['prometheus.io/path'],
    refusal: status === 201 ? undefined : (body.message ?? `status ${status}`),
    ms: performance.now() - start,
  };
}
