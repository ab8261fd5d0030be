import { setTimeout as sleep } from 'node:timers/promises';
import { decide } from '../../src/core/decide.ts';
import { defaultRules } from '../../src/rules/shipped.ts';
import { podName, startStandIn } from '../../test/harness/control-plane/stand-in-api-server.ts';
import type { StandIn } from '../../test/harness/control-plane/stand-in-api-server.ts';
import { startFastReconciler } from './fast-reconciler.ts';
import type { FastReconciler } from './fast-reconciler.ts';
import { podOf } from './row.ts';
import type { Row } from './row.ts';
import type { Annotations } from './score.ts';
import { servedBy } from './served.ts';
import { createServers } from './servers.ts';
import type { Servers } from './servers.ts';

/** What came of one row. */
export interface Played {
  /** What the pod is annotated with where nobody asks. */
  readonly words: Annotations;
  /** What it is annotated with where the reconciler asks. */
  readonly asking: Annotations;
  readonly requests: number;
  /** Those before anything was asked again. */
  readonly firstRequests: number;
  /** Connections to ports that don't speak HTTP, by port and what it speaks. */
  readonly elsewhere: ReadonlyMap<string, number>;
}

export interface Play {
  readonly rows: ReadonlyMap<Row, Played>;
  readonly seconds: number;
}

/** Pods on one node: a node's pods are asked one after the other. */
const PODS_PER_NODE = 30;

/** Pods are ready for an hour. */
const READY_MS = 60 * 60_000;

/**
 * Ports without metrics are asked again after ten minutes, which is also how long a rule that only hints waits for an answer. By
 * the reconciler's clock that has passed after this time.
 */
const LATER_MS = 11 * 60_000;

/** The reconciler looks every ten seconds for pods that have waited for too long. */
const TICK_MS = 15_000;

/** When nothing has happened for so long, nothing will: a pod whose node is busy is tried again after three seconds. */
const QUIET_MS = 3500;

/** Returns what came of each row, once all was asked that there is to ask. */
export async function play(rows: readonly Row[]): Promise<Play> {
  const started = performance.now();
  const since = new Date(Date.now() - READY_MS).toISOString();
  const servers = createServers();
  const projects = Map.groupBy(rows, ({ project }) => project);
  const placed = new Map<string, readonly Placed[]>();
  let index = 0;
  for (const of of projects.values()) {
    const namespace = `project-${placed.size}`;
    placed.set(
      namespace,
      of.map((row) => place(row, index++, since)),
    );
  }
  const all = [...placed.values()].flat();
  await Promise.all(all.map(({ row, address }) => open(servers, row, address)));

  const server = await startStandIn({
    namespaces: new Map([...placed].map(([namespace, pods]) => [namespace, pods.length])),
    isAnnotated: () => false,
    podAt: (namespace, at) => placed.get(namespace)?.[at]?.pod ?? EMPTY,
  });
  const reconciler = await startFastReconciler(server.kubeconfig);
  try {
    await settle(reconciler, server, servers);
    const first = new Map(all.map(({ address }) => [address, servers.requests(address)]));
    for (const milliseconds of [LATER_MS, TICK_MS]) {
      reconciler.jump(milliseconds);
      await settle(reconciler, server, servers);
    }
    const played = [...placed].flatMap(([namespace, pods]) =>
      pods.map(({ row, address, pod }, at): [Row, Played] => [
        row,
        {
          words: annotationsByWords(pod, namespace),
          asking: server.annotationsOf(namespace, podName(at)),
          requests: servers.requests(address),
          firstRequests: first.get(address) ?? 0,
          elsewhere: servers.elsewhere(address),
        },
      ]),
    );
    return { rows: new Map(played), seconds: (performance.now() - started) / 1000 };
  } finally {
    await reconciler.stop();
    server.close();
    await servers.close();
  }
}

interface Placed {
  readonly row: Row;
  readonly address: string;
  readonly pod: ReturnType<typeof podOf>;
}
const EMPTY = { metadata: {}, spec: {}, status: {} };

function place(row: Row, index: number, since: string): Placed {
  const address = `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
  const node = Math.floor(index / PODS_PER_NODE);
  return {
    row,
    address,
    pod: podOf(row, { address, node: { name: `node-${node}`, address: `10.0.${node >> 8}.${node & 255}` }, since }),
  };
}

/** Resolves when all is asked and annotated that there is for now. */
async function settle(reconciler: FastReconciler, server: StandIn, servers: Servers): Promise<void> {
  const activity = () => reconciler.asked() + [...server.calls.values()].reduce((sum, calls) => sum + calls, 0);
  let seen = activity();
  let since = performance.now();
  while (performance.now() - since < QUIET_MS) {
    await sleep(50);
    if (activity() === seen && !servers.isBusy() && reconciler.hasAnswers()) continue;
    seen = activity();
    since = performance.now();
  }
}

async function open(servers: Servers, row: Row, address: string): Promise<void> {
  for (const [port, served] of servedBy(row)) await servers.open(address, port, served);
}

function annotationsByWords(pod: Placed['pod'], namespace: string): Annotations {
  const object = { apiVersion: 'v1', kind: 'Pod', ...pod, metadata: { ...pod.metadata, name: 'app', namespace } };
  const decision = decide(object, RULES, { namespace });
  if (decision.outcome === 'skip') return {};
  return Object.fromEntries(Object.entries(decision.annotations));
}

const RULES = defaultRules();
