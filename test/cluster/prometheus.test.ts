import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { freePort } from '../harness/process/free-port.ts';
import { promtool, startPrometheus } from '../harness/programs/prometheus.ts';
import { waitFor } from '../harness/process/wait-for.ts';

test('Prometheus scrapes a target and answers queries about it', async () => {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end('# TYPE answers_total counter\nanswers_total 42\n');
  });
  const target = `127.0.0.1:${await freePort()}`;
  server.listen(Number(target.split(':')[1]), '127.0.0.1');
  await once(server, 'listening');
  const prometheus = await startPrometheus({
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'test', static_configs: [{ targets: [target] }] }],
  });
  try {
    const [sample] = await waitFor('a sample', async () => {
      const samples = await prometheus.query('answers_total');
      return samples.length > 0 && samples;
    });
    assert.deepEqual(sample, {
      labels: { __name__: 'answers_total', instance: target, job: 'test' },
      value: 42,
    });
    const { activeTargets } = await prometheus.targets();
    assert.deepEqual(
      activeTargets.map(({ scrapeUrl, health }) => [scrapeUrl, health]),
      [[`http://${target}/metrics`, 'up']],
    );
    await assert.rejects(prometheus.query('no('), /answered 400/);
  } finally {
    await prometheus.stop();
    server.close();
  }
});

test('a configuration that Prometheus refuses is reported with its reason', async () => {
  await assert.rejects(startPrometheus({ scrape_configs: [{}] }), /job_name is empty/);
});

test('promtool finds nothing wrong with good metrics, and something with bad ones', async () => {
  const good = await promtool(['check', 'metrics'], {
    stdin: '# HELP answers_total Answers.\n# TYPE answers_total counter\nanswers_total 42\n',
  });
  assert.deepEqual([good.code, good.stderr], [0, '']);
  assert.notEqual((await promtool(['check', 'metrics'], { stdin: 'no metrics\n' })).code, 0);
});
