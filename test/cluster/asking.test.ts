import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { askPort } from '../../src/ask/ask-port.ts';
import type { PortAsked } from '../../src/ask/ask-port.ts';
import { classOf } from '../../src/core/ask/verdict.ts';
import type { Verdict, VerdictKey } from '../../src/core/ask/verdict.ts';
import { askTools } from '../harness/asking/ask-tools.ts';
import { startRawServer } from '../harness/asking/raw-server.ts';
import type { RawServer } from '../harness/asking/raw-server.ts';
import { EVERYWHERE, FURTHER, askedPages } from '../harness/asking/pages.ts';
import type { AskedPage } from '../harness/asking/pages.ts';
import { component, pinnedVersion } from '../harness/build/components.ts';
import { goModuleFolder } from '../../tools/go.ts';
import { startPrometheus } from '../harness/programs/prometheus.ts';
import type { Prometheus } from '../harness/programs/prometheus.ts';
import { waitFor } from '../harness/process/wait-for.ts';

// A real Prometheus is the judge: each page is asked by autoscrape and scraped by Prometheus, from the same server. What it calls down
// must never be called metrics, and what it calls up must be, but for five verdicts that are stricter on purpose.

/** Up for Prometheus and no target of ours all the same: a person has to decide, or the page has to change first. */
const STRICTER: readonly VerdictKey[] = ['catch_all', 'redirected_away', 'too_large', 'too_slow'];

/** How often Prometheus scrapes each page; more than the 12 s that the slowest takes. */
const INTERVAL_MS = 20_000;

/** As many at once as a reconciler would never ask: the pages are to be done before Prometheus has scraped them. */
const AT_ONCE = 8;

interface Target {
  readonly what: string;
  /** Whether its answer takes longer than others on purpose. */
  readonly slow: boolean;
  readonly server: RawServer;
  readonly path: string;
}

before(() => component('prometheus'));

/** Serves the pages of one server each below a path of its own, and those of EVERYWHERE from servers of their own. */
async function serve(pages: readonly AskedPage[]): Promise<Target[]> {
  const shared = await startRawServer((socket, path) => {
    const [, number] = /^\/page\/(\d+)$/.exec(path) ?? [];
    const page = number === undefined ? undefined : pages[Number(number)];
    if (page !== undefined) page.answer(socket);
    else socket.end(FURTHER[path] ?? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  });
  const everywhere = await Promise.all(
    EVERYWHERE.map(async ({ what, answer }) => ({
      what,
      slow: false,
      server: await startRawServer(answer),
      path: '/metrics',
    })),
  );
  return [
    ...pages.map(({ what, slow = false }, index) => ({ what, slow, server: shared, path: `/page/${index}` })),
    ...everywhere,
  ];
}

async function askAll(targets: readonly Target[]): Promise<PortAsked[]> {
  const answers: PortAsked[] = [];
  const left = targets.entries();
  async function lane(): Promise<void> {
    for (const [index, target] of left) answers[index] = await ask(target);
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return answers;
}

function ask({ server, path }: Target): Promise<PortAsked> {
  return askPort(server, [path], askTools({ randomName: () => 'nobody-made-this' }));
}

/** What Prometheus has of each target, by its number. */
interface Scraped {
  readonly up: boolean;
  readonly samples: number;
  readonly error: string;
}

async function scraped(prometheus: Prometheus, count: number): Promise<Scraped[]> {
  const targets = await waitFor(
    'every page to be scraped',
    async () => {
      const { activeTargets } = await prometheus.targets();
      return (
        activeTargets.length === count && activeTargets.every(({ health }) => health !== 'unknown') && activeTargets
      );
    },
    { seconds: 120, everyMs: 1000 },
  );
  const samples = await prometheus.query('scrape_samples_scraped');
  const found: Scraped[] = [];
  for (const { labels, health, lastError } of targets) {
    const number = labels['page'] ?? '';
    const value = samples.find((sample) => sample.labels['page'] === number)?.value ?? Number.NaN;
    found[Number(number)] = { up: health === 'up', samples: value, error: lastError };
  }
  return found;
}

interface Row extends Scraped {
  readonly index: number;
  readonly target: Target;
  readonly slow: boolean;
  readonly verdict: Verdict;
}

async function compare(
  prometheus: Prometheus,
  targets: readonly Target[],
  asked: readonly PortAsked[],
): Promise<Row[]> {
  const judged = await scraped(prometheus, targets.length);
  return targets.map((target, index) => {
    const { verdict } = asked[index] ?? assert.fail();
    return { index, target, slow: target.slow, verdict, ...(judged[index] ?? assert.fail()) };
  });
}

function isWrong({ up, verdict, samples }: Row): boolean {
  if (!up) return classOf(verdict) === 'metrics';
  if (verdict.key === 'metrics') return verdict.series !== samples;
  return verdict.key === 'metrics_empty' ? samples !== 0 : !STRICTER.includes(verdict.key);
}

/**
 * The first request that somebody of this name has sent, line by line. Without what differs: the name's version, the closed connection,
 * and the weights of the formats, which change with the number of formats that a release of Prometheus knows.
 */
function requestOf(agent: string, targets: readonly Target[]): string[] {
  const request = targets[0]?.server.requests.find((head) => head.includes(`\r\nUser-Agent: ${agent}/`)) ?? '';
  return request
    .replace(/User-Agent: .*/, 'User-Agent')
    .replace('Connection: close\r\n', '')
    .replaceAll(/;q=[\d.]+/g, '')
    .replace(/^GET \S+/, 'GET')
    .split('\r\n');
}

test('what Prometheus 3 scrapes is what asking calls metrics', { timeout: 600_000 }, async (t) => {
  const module = 'github.com/prometheus/prometheus';
  const sources = await goModuleFolder(module, await pinnedVersion('prometheus', module));
  const targets = await serve(await askedPages(join(sources, 'model', 'textparse')));
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-asking-'));
  const file = join(directory, 'targets.json');
  await writeFile(
    file,
    JSON.stringify(
      targets.map(({ server, path }, index) => ({
        targets: [`${server.address}:${server.port}`],
        labels: { __metrics_path__: path, page: String(index) },
      })),
    ),
  );
  const prometheus = await startPrometheus({
    global: { scrape_interval: `${INTERVAL_MS}ms`, scrape_timeout: '10s' },
    scrape_configs: [{ job_name: 'asking', file_sd_configs: [{ files: [file] }] }],
  });
  try {
    const asked = await askAll(targets);
    let rows = await compare(prometheus, targets, asked);
    // A busy machine makes either of them miss a time that the page kept: such pages are asked and scraped once more.
    const late = rows.filter((row) => !row.slow && (row.verdict.key === 'too_slow' || row.error.includes('deadline')));
    if (late.length > 0) {
      for (const { index, target } of late) asked[index] = await ask(target);
      await sleep(INTERVAL_MS);
      rows = await compare(prometheus, targets, asked);
      t.diagnostic(`${late.length} pages were judged once more, because the machine was late`);
    }
    const table = new Map<string, number>();
    for (const { up, verdict } of rows) {
      const line = `${up ? 'up  ' : 'down'} ${verdict.key}`;
      table.set(line, (table.get(line) ?? 0) + 1);
    }
    t.diagnostic(`${rows.length} pages: what Prometheus says, what asking says, how often`);
    for (const [line, count] of [...table].toSorted(([a], [b]) => a.localeCompare(b)))
      t.diagnostic(`${line.padEnd(26)} ${String(count).padStart(4)}`);

    const wrong = rows.filter(isWrong).map(({ target, up, samples, error, verdict }) => {
      return `${target.what}: ${up ? `up with ${samples}` : `down (${error})`}, but ${JSON.stringify(verdict)}`;
    });
    assert.deepEqual(wrong, []);
    assert.deepEqual(requestOf('autoscrape', targets), requestOf('Prometheus', targets));
    assert.ok(rows.length >= 500, `${rows.length} pages`);
    assert.ok(rows.filter(({ up }) => up).length > 100);
  } finally {
    await prometheus.stop();
    await rm(directory, { recursive: true, force: true });
    for (const server of new Set(targets.map(({ server }) => server))) await server.close();
  }
});
