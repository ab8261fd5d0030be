import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { ApiRequest } from '../../../src/kube/client.ts';
import type { Clock } from '../../../src/kube/clock.ts';
import { startRawServer } from '../../harness/asking/raw-server.ts';
import type { RawServer } from '../../harness/asking/raw-server.ts';

// Pods that run, and the servers in them.

/** A pod as the stand-in keeps it. */
export interface Pod {
  metadata: {
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    ownerReferences?: object[];
  };
  spec: { nodeName: string; hostNetwork?: boolean; containers: object[] };
  status: object;
}

export interface PodOptions {
  readonly namespace?: string;
  readonly address?: string;
  readonly port?: number;
  readonly node?: string;
  readonly env?: string;
  readonly owner?: string;
  readonly hostNetwork?: boolean;
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly container?: object;
  readonly hostIP?: string;
}

let versions = 100;

/** Returns a resource version that no pod has had. */
export function nextVersion(): string {
  versions += 1;
  return String(versions);
}

/** Returns a pod that has been running and ready since now. */
export function runningPod(name: string, clock: Pick<Clock, 'now'>, options: PodOptions = {}): Pod {
  const { namespace = 'shop', address = '127.0.0.1', port = 8080, owner, env = '' } = options;
  const since = new Date(clock.now()).toISOString();
  const version = nextVersion();
  return {
    metadata: {
      namespace,
      name,
      uid: `uid-${name}-${version}`,
      resourceVersion: version,
      creationTimestamp: since,
      labels: { app: name, ...options.labels },
      annotations: { ...options.annotations },
      ...(owner !== undefined && { ownerReferences: [{ kind: 'StatefulSet', name: owner, controller: true }] }),
    },
    spec: {
      nodeName: options.node ?? `node-of-${name}`,
      hostNetwork: options.hostNetwork ?? false,
      containers: [
        {
          name: 'app',
          image: 'example.com/shop:1',
          env: [{ name: 'MODE', value: env }],
          ports: [{ name: 'http', containerPort: port }],
          ...options.container,
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: address,
      hostIP: options.hostIP ?? '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      containerStatuses: [
        { name: 'app', imageID: 'sha256:1', restartCount: 0, state: { running: { startedAt: since } } },
      ],
    },
  };
}

/** Applies a JSON Patch of the reconciler's, and returns the pod. */
export function patch(pod: Pod, { body }: ApiRequest): Pod {
  assert.ok(Array.isArray(body));
  for (const { op, path, value } of body) {
    if (op === 'test') assert.equal(value, pod.metadata.resourceVersion);
    else if (path === '/metadata/annotations') pod.metadata.annotations = value;
    else pod.metadata.annotations[path.split('/').at(-1).replaceAll('~1', '/')] = value;
  }
  pod.metadata.resourceVersion = nextVersion();
  return pod;
}

function page(body: string, type = 'text/plain; version=0.0.4'): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

export const METRICS = page('# TYPE orders_total counter\norders_total 1\n');
export const HTML = page('<!doctype html><html><body>Hello</body></html>', 'text/html');
const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';

/** Starts a server that answers at these paths, and with 404 elsewhere. */
export async function serve(
  t: TestContext,
  answers: Record<string, string>,
  address = '127.0.0.1',
): Promise<RawServer> {
  const server = await startRawServer((socket, path) => socket.end(answers[path] ?? NOT_FOUND), { address });
  t.after(() => server.close());
  return server;
}
