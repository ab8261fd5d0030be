// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutAdded, withPort } from '../../tools/demo-examples.ts';
import { targetUrl } from '../../tools/prometheus-target.ts';
import { readTranscripts, timeless } from './transcript.ts';

const DEMO = fileURLToPath(new URL('../../scripts/demo.ts', import.meta.url));

test('the demo ends with a growing counter, even where port 8000 is taken, and leaves nothing running', async (t) => {
  // Where somebody else has the port already, all the better.
  const other = createServer()
    .on('error', () => {})
    .listen(8000, '127.0.0.1');
  t.after(() => other.close());
  const child = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  assert.deepEqual([code, stderr], [0, ''], stdout);

  const lines = stdout.split('\n');
  for (const line of lines) assert.ok(line.length <= 100, `wider than 100 columns: ${line}`);
  assert.ok(!stdout.includes('\u001B'), 'no escape codes where nobody sees colours');
  const [first = Number.NaN, second = Number.NaN] = [...stdout.matchAll(/count_total ([0-9.]+)/g)].map(([, n]) =>
    Number(n),
  );
  assert.ok(second > first);
  const shown = readTranscripts().find(({ command }) => command === 'npm run -s demo')?.output ?? '';
  assert.equal(timeless(shown), timeless(stdout), "copy the README's transcript from the terminal again");

  const urls = [...stdout.matchAll(/https?:\/\/127\.0\.0\.1:[0-9]+/g)].map(([url]) => url);
  assert.equal(new Set(urls).size, 2);
  for (const url of urls) await assert.rejects(fetch(url), `${url} is gone`);
});

test('a target is made of the annotations alone, or not at all', () => {
  const annotations = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' };
  assert.equal(targetUrl('10.0.0.7', annotations), 'http://10.0.0.7:9464/metrics');
  assert.equal(
    targetUrl('10.0.0.7', { ...annotations, 'prometheus.io/path': '/stats', 'prometheus.io/scheme': 'https' }),
    'https://10.0.0.7:9464/stats',
  );
  assert.equal(targetUrl('10.0.0.7', { ...annotations, 'prometheus.io/scrape': 'True' }), undefined);
  assert.equal(targetUrl('10.0.0.7', { ...annotations, 'prometheus.io/port': 'metrics' }), undefined);
});

test('what was touched beside added annotations is seen', () => {
  const before = { metadata: { labels: { app: 'a' } }, spec: {} };
  const after = { metadata: { labels: { app: 'a' }, annotations: { 'prometheus.io/scrape': 'true' } }, spec: {} };
  assert.deepEqual(withoutAdded(after, before), before);
  assert.notDeepEqual(withoutAdded({ ...after, spec: { hostNetwork: true } }, before), before);
  const annotated = { metadata: { annotations: { mine: 'x' } } };
  assert.deepEqual(withoutAdded({ metadata: { annotations: { mine: 'x', more: 'y' } } }, annotated), annotated);
  assert.notDeepEqual(withoutAdded({ metadata: { annotations: { mine: 'changed' } } }, annotated), annotated);
  assert.notDeepEqual(withoutAdded({ metadata: { annotations: { more: 'y' } } }, annotated), annotated);
});

test('another port is declared where the sample declares its own, and nowhere else', () => {
  const pod = {
    spec: { containers: [{ args: ['--port=8000'], ports: [{ containerPort: 8000 }, { containerPort: 1 }] }] },
  };
  assert.deepEqual(withPort(pod, 8000, 9999), {
    spec: { containers: [{ args: ['--port=8000'], ports: [{ containerPort: 9999 }, { containerPort: 1 }] }] },
  });
});
