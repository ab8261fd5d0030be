// A process of its own: it waits for time limits.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { startSample } from '../../../src/sample/server.ts';

async function listen(t: TestContext): Promise<string> {
  const sample = await startSample({ port: 0, host: '127.0.0.1' });
  t.after(() => sample.stop());
  return `http://127.0.0.1:${sample.port}`;
}

test('/metrics has the counter and the metrics of every command, each with help and type', async (t) => {
  const response = await fetch(`${await listen(t)}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  const names = lines.filter((line) => !line.startsWith('#')).map((line) => line.split(/[ {]/, 1)[0] ?? '');
  assert.deepEqual(names.toSorted(), [
    'autoscrape_build_info',
    'count_total',
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'process_start_time_seconds',
  ]);
  for (const name of names) {
    const type = name.endsWith('_total') ? 'counter' : 'gauge';
    assert.ok(lines.includes(`# TYPE ${name} ${type}`), `${name} has its type`);
    assert.ok(
      lines.some((line) => line.startsWith(`# HELP ${name} `)),
      `${name} has a help text`,
    );
  }
});

test('the counter grows', async (t) => {
  const url = await listen(t);
  const read = async (): Promise<number> =>
    Number(/^count_total (.*)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]);
  const first = await read();
  await sleep(1100);
  assert.ok((await read()) > first);
});

test('the front page links to /metrics, and a 404 names the paths', async (t) => {
  const url = await listen(t);
  assert.match(await (await fetch(url)).text(), /href="\/metrics"/);
  const missing = await fetch(`${url}/metric`);
  assert.equal(missing.status, 404);
  assert.match(await missing.text(), /\/metrics/);
  assert.equal((await fetch(`${url}/metrics?format=text`)).status, 200);
});

test('only GET and HEAD are allowed', async (t) => {
  const response = await fetch(`${await listen(t)}/metrics`, { method: 'POST', body: 'x' });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('allow'), 'GET, HEAD');
});

test('stopping ends with an idle connection open, and frees the port', async () => {
  const sample = await startSample({ port: 0, host: '127.0.0.1' });
  const socket = connect(sample.port, '127.0.0.1');
  await once(socket, 'connect');
  await (await fetch(`http://127.0.0.1:${sample.port}/`)).text();
  const closed = once(socket, 'close');
  await sample.stop();
  await closed;
  const again = await startSample({ port: sample.port, host: '127.0.0.1' });
  await again.stop();
});
