import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServe } from '../autoscrape/serving.ts';
import type { Scope, Serving } from '../autoscrape/serving.ts';
import { podWithMetrics, reviewOf } from '../autoscrape/admission-review.ts';
import { post } from '../autoscrape/client.ts';
import { verifyAnswer } from '../autoscrape/verify-answer.ts';
import type { Flood } from './flood.ts';
import { underScope } from './scope.ts';

// `unshare --net node test/harness/stress/sockets.ts`, as root: whether connections that bring nothing disturb those that
// do. There are two webhooks, and both get the same reviews and probes at the same time; one of them is flooded from
// another address, with 64, 512 and 5,000 connections at each of its ports. So whatever else the machine does, and the
// flooding program above all, slows down both. Exit code 0 only if nothing failed, the ports were full, and, once the
// connections are open, the 99th percentile of all calls to the flooded one is below twice that of the other.

/** Seconds of good calls beside each flood. */
const SECONDS = 20;
const COUNTS = [64, 512, 5000];
/** Seconds in which the connections of a flood are opened, all at once, and in which no good call may fail. */
const OPENING_SECONDS = 5;
/**
 * How many connections are opened again in a second at each port, at most. What is shown then is that connections which are held
 * lock nobody out; that accepting one costs 0.1 ms of CPU, and a handshake 1 ms, is another matter.
 */
const MOST_PER_SECOND = 50;
/** The API server's patience, as the chart has it; a probe has 5 s. */
const PATIENCE_MILLISECONDS = 3000;

/** Connections that the webhook's port has room for, and the series that counts those that were dropped for others. */
const PLACES = 512;
const WEBHOOK_FULL = 'server="webhook",reason="limit"';

const HOST = '198.18.9.1';
const FLOODER = '198.18.9.2';

await underScope(stress);

/** What came of the calls of one kind. */
interface Calls {
  readonly milliseconds: number[];
  failed: number;
}

type Kind = 'review' | 'review on a new connection' | 'probe';

async function stress(scope: Scope): Promise<number> {
  await addresses();
  const setting = { args: ['--host', '0.0.0.0'] };
  const [flooded, other] = await Promise.all([startServe(scope, setting), startServe(scope, setting)]);
  const agents = new Map([flooded, other].map((server) => [server, new Agent({ keepAlive: true, maxSockets: 4 })]));
  scope.after(() => agents.forEach((agent) => agent.destroy()));
  let isFine = true;
  await goodCalls([flooded, other], agents, 3); // warm up
  for (const count of COUNTS) {
    const stop = startFlood(scope, {
      from: FLOODER,
      host: HOST,
      port: flooded.port,
      healthPort: flooded.healthPort,
      count,
      perSecond: MOST_PER_SECOND,
    });
    const opening = await goodCalls([flooded, other], agents, OPENING_SECONDS);
    report(`${count} connections opened at once`, 'all', [together(opening, 0), together(opening, 1)]);
    const results = await goodCalls([flooded, other], agents, SECONDS);
    const opened = await stop();
    for (const [kind, calls] of results) report(`${count} connections`, kind, calls);
    const all: readonly [Calls, Calls] = [together(results, 0), together(results, 1)];
    const ratio = report(`${count} connections`, 'all', all);
    isFine &&= together(opening, 0).failed === 0 && all[0].failed === 0 && ratio < 2;
    const metrics = (await flooded.health('/metrics')).body;
    const dropped = [...metrics.matchAll(/^autoscrape_connections_dropped_total\{(.*)\} ([0-9]+)$/gm)];
    if (count >= PLACES) isFine &&= dropped.some(([, labels, drops]) => labels === WEBHOOK_FULL && Number(drops) > 0);
    console.log(`  ${opened} opened; dropped: ${dropped.map(([, labels, drops]) => `${labels} ${drops}`).join(', ')}`);
    await sleep(6000); // until what is slow has gone
  }
  return isFine ? 0 : 1;
}

/** Gives the loopback of this network namespace two more addresses. Refuses where there is another network. */
async function addresses(): Promise<void> {
  const links = await output('ip', ['-brief', 'link']);
  if (links.trim().split('\n').length !== 1)
    throw new Error('run it by: unshare --net node test/harness/stress/sockets.ts');
  await output('ip', ['link', 'set', 'lo', 'up']);
  for (const address of [HOST, FLOODER]) await output('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
}

async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${String(code)}`);
  return printed;
}

/** A flood; what is returned ends it, and tells how many connections it has opened. */
function startFlood(scope: Scope, flood: Flood): () => Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'flood.ts'), JSON.stringify(flood)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const printed = text(child.stdout);
  scope.after(() => child.kill('SIGKILL'));
  return async () => {
    child.kill('SIGTERM');
    return Number(await printed);
  };
}

/** Prints what came of the calls to the flooded server and to the other, and returns the ratio of their 99th percentiles. */
function report(flood: string, kind: string, [during, without]: readonly [Calls, Calls]): number {
  const p99 = [during, without].map((calls) => `${percentile(calls, 99).toFixed(1)} ms`);
  const ratio = percentile(during, 99) / percentile(without, 99);
  console.log(
    `${flood}, ${kind}: ${during.milliseconds.length} answered, ${during.failed} failed; p99 ${ratio.toFixed(2)} × (${p99.join(' and ')})`,
  );
  return ratio;
}

/** Calls each of the servers in turn for so many seconds, and returns what came of it, for each in their order. */
async function goodCalls(
  servers: readonly [Serving, Serving],
  agents: ReadonlyMap<Serving, Agent>,
  seconds: number,
): Promise<ReadonlyMap<Kind, readonly [Calls, Calls]>> {
  const results = new Map<Kind, readonly [Calls, Calls]>();
  const open = new Set<Promise<void>>();
  async function call(kind: Kind, turn: number, make: () => Promise<void>): Promise<void> {
    const calls = results.get(kind)?.[turn === 0 ? 0 : 1];
    if (calls === undefined) return;
    const began = performance.now();
    try {
      await make();
      const took = performance.now() - began;
      if (took > PATIENCE_MILLISECONDS) throw new Error(`it took ${Math.round(took)} ms`);
      calls.milliseconds.push(took);
    } catch (error) {
      calls.failed++;
      console.log(`${kind}: ${String(error)}`);
    }
  }
  const makers: Readonly<Record<Kind, { every: number; make: (server: Serving) => Promise<void> }>> = {
    review: { every: 10, make: (server) => review(server, agents.get(server) ?? false) },
    'review on a new connection': { every: 40, make: (server) => review(server, false) },
    probe: { every: 20, make: probe },
  };
  const timers = Object.entries(makers).map(([name, { every, make }]) => {
    const kind = name as Kind;
    results.set(kind, [
      { milliseconds: [], failed: 0 },
      { milliseconds: [], failed: 0 },
    ]);
    let turn = 0;
    return setInterval(() => {
      if (open.size > 100) return; // a busy machine
      const server = turn++ % 2;
      const made = call(kind, server, () => make(server === 0 ? servers[0] : servers[1])).finally(() =>
        open.delete(made),
      );
      open.add(made);
    }, every);
  });
  await sleep(seconds * 1000);
  timers.forEach(clearInterval);
  await Promise.all(open);
  return results;
}

async function review(server: Serving, agent: Agent | false): Promise<void> {
  const sent = reviewOf(podWithMetrics());
  const reply = await post(server, JSON.stringify(sent), { agent });
  if (verifyAnswer(reply, sent.request.uid).patch.length === 0) throw new Error('no patch');
}

/** As the kubelet probes: on a connection of its own. */
function probe({ healthPort }: Serving): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: healthPort, path: '/livez', agent: false }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    call.on('error', reject);
    call.end();
  });
}

/** The calls of all kinds to one of the servers. */
function together(results: ReadonlyMap<Kind, readonly [Calls, Calls]>, server: 0 | 1): Calls {
  const calls = [...results.values()].map((both) => both[server]);
  return {
    milliseconds: calls.flatMap(({ milliseconds }) => milliseconds),
    failed: calls.reduce((sum, { failed }) => sum + failed, 0),
  };
}

function percentile({ milliseconds }: Calls, percent: number): number {
  return milliseconds.toSorted((a, b) => a - b)[Math.floor((milliseconds.length * percent) / 100)] ?? Infinity;
}
