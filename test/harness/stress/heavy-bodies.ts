import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { heapFlag, MALLOC_VARIABLES, NODE_FLAGS } from '../../../tools/node-flags.ts';
import { startServe } from '../autoscrape/serving.ts';
import { podWithMetrics, reviewOf } from '../autoscrape/admission-review.ts';
import { post } from '../autoscrape/client.ts';
import { HEAVY_BODIES } from '../autoscrape/heavy-bodies.ts';
import { underScope } from './scope.ts';

// `node test/harness/stress/heavy-bodies.ts`, after `npm run build`: the memory of the bundled webhook, under the flags it is
// shipped with: idle, after small reviews, and with 25 at once of each of the heaviest bodies. On Linux. Exit code 0 only if it
// has read each of them, is alive at the end and never had more than 144 MiB.

/** MiB; the chart's limit is 192. */
const MOST = 144;

await underScope(async (scope) => {
  const main = join(import.meta.dirname, '../../../dist/main.js');
  const serving = await startServe(scope, { main, nodeFlags: [...NODE_FLAGS, heapFlag()], env: MALLOC_VARIABLES });
  console.log(`idle: ${memory(serving.pid)}`);
  for (let call = 0; call < 1000; call++) await post(serving, JSON.stringify(reviewOf(podWithMetrics())));
  console.log(`after 1,000 small reviews: ${memory(serving.pid)}`);
  const unread: string[] = [];
  async function statusAlone(body: string): Promise<number> {
    for (let attempt = 1; attempt < 10; attempt++) {
      const status = await post(serving, body).then(
        (reply) => reply.status,
        () => 503,
      );
      if (status !== 503) return status;
    }
    return 503;
  }
  for (const [title, body] of Object.entries(HEAVY_BODIES)) {
    const calls = await Promise.allSettled(Array.from({ length: 25 }, () => post(serving, body)));
    const answered = calls.filter((call) => call.status === 'fulfilled' && call.value.status === 200).length;
    // Of 25 at once most are refused for now (503), by design: the bytes in flight are bounded. By itself each kind is read.
    const status = await statusAlone(body);
    if (status === 503) unread.push(title);
    console.log(`25 × ${title}: ${answered} answered; alone: status ${status}; ${memory(serving.pid)}`);
  }
  const alive = await post(serving, JSON.stringify(reviewOf(podWithMetrics())));
  if (unread.length > 0) console.log(`never read: ${unread.join(', ')}`);
  return alive.status === 200 && unread.length === 0 && mebibytes(serving.pid, 'VmHWM') < MOST ? 0 : 1;
});

function memory(pid: number): string {
  const [rss, anonymous, peak] = ['VmRSS', 'RssAnon', 'VmHWM'].map((name) => `${mebibytes(pid, name)} MiB`);
  return `${rss} resident, ${anonymous} of it not from files; at most ${peak}`;
}

function mebibytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(String.raw`^${name}:\s+([0-9]+) kB$`, 'm').exec(status)?.[1]) / 1024);
}
