import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { podWithMetrics, reviewOf } from './admission-review.ts';
import { post } from './client.ts';
import { verifyAnswer } from './verify-answer.ts';

/** The ports that a Service's address leads to; they may change while calls are made. */
export interface Endpoints {
  ports: readonly number[];
}

/** What came of the calls. */
export interface LoadResult {
  readonly calls: number;
  /** One sentence for each call that was not answered with a patch. */
  readonly lost: readonly string[];
  /** Calls answered with 503 and Retry-After, and repeated as an API server does. */
  readonly repeated: number;
  /** How many connections were made to each port. */
  readonly connections: ReadonlyMap<number, number>;
  /** How many calls were made in a second, on average. */
  readonly perSecond: number;
}

/** How calls are made. */
export interface LoadOptions {
  readonly callsPerSecond: number;
  /** How many may be under way at a time; while there are so many, none is made. */
  readonly mostOpen?: number;
}

/** Calls that are being made. */
export interface Load {
  /** How many calls have ended so far, lost ones included. */
  readonly ended: () => number;
  /** The serial numbers of the certificates that the port has shown so far. */
  readonly certificatesOf: (port: number) => ReadonlySet<string>;
  /** Drops the connections that are idle, so that the next calls make new ones. */
  readonly dropIdle: () => void;
  /** Makes no more calls, and resolves when the last is answered. */
  readonly stop: () => Promise<LoadResult>;
}

/**
 * Makes reviews at a steady rate as an API server does through a ClusterIP: each new connection goes to any endpoint
 * of the moment and is then kept and used again for as long as the server likes; a call is never repeated, unless it
 * was answered with 503 and Retry-After.
 */
export function startLoad(
  endpoints: Endpoints,
  ca: string,
  // A busy machine makes as many calls as are due, but never piles up more than a busy API server.
  { callsPerSecond, mostOpen = 100 }: LoadOptions,
): Load {
  const connections = new Map<number, number>();
  const certificates = new Map<number, Set<string>>();
  let turn = 0;
  // The API server's own pool: 25 idle connections, dropped after 90 s.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 25 });
  agent.createConnection = () => {
    const port = endpoints.ports[turn++ % endpoints.ports.length] ?? 0;
    connections.set(port, (connections.get(port) ?? 0) + 1);
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
    return socket.once('secureConnect', () => {
      const seen = certificates.get(port) ?? new Set();
      certificates.set(port, seen.add(socket.getPeerCertificate().serialNumber));
    });
  };
  const lost: string[] = [];
  let repeated = 0;
  async function call(): Promise<void> {
    const review = reviewOf(podWithMetrics());
    const started = performance.now();
    try {
      let reply = await post({ port: 1, ca }, JSON.stringify(review), { agent });
      while (reply.status === 503 && reply.headers['retry-after'] !== undefined && performance.now() - started < 3000) {
        repeated++;
        await sleep(Number(reply.headers['retry-after']) * 1000);
        reply = await post({ port: 1, ca }, JSON.stringify(review), { agent });
      }
      if (verifyAnswer(reply, review.request.uid).patch.length === 0) lost.push('no patch');
    } catch (error) {
      lost.push(`${new Date().toISOString()} ${String(error)}`);
    }
  }

  let calls = 0;
  const open = new Set<Promise<void>>();
  let due = 0;
  const began = performance.now();
  let last = began;
  // Timers come late on a busy machine.
  const timer = setInterval(() => {
    const now = performance.now();
    due = Math.min(due + ((now - last) / 1000) * callsPerSecond, mostOpen - open.size);
    last = now;
    for (; due >= 1; due--) {
      calls++;
      const made = call().finally(() => open.delete(made));
      open.add(made);
    }
  }, 5);
  return {
    ended: () => calls - open.size,
    certificatesOf: (port) => certificates.get(port) ?? new Set(),
    dropIdle() {
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    },
    async stop() {
      clearInterval(timer);
      const perSecond = calls / ((performance.now() - began) / 1000);
      await Promise.all(open);
      agent.destroy();
      return { calls, lost, repeated, connections, perSecond };
    },
  };
}
