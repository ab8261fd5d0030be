import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { createServer as listen } from 'node:net';
import { suite, test } from 'node:test';
import { createClusterReader } from '../../../../src/doctor/object-cache.ts';
import { readPage } from '../../../../src/doctor/installation/read-page.ts';
import { findScrapers, readScraperPlace } from '../../../../src/doctor/scraper/find-scrapers.ts';
import { atUrl, throughService } from '../../../../src/doctor/scraper/scraper-api.ts';
import type { PodProxy } from '../../../../src/kube/pod-proxy.ts';
import { listenOnLoopback } from '../../../harness/process/listen.ts';
import { fakeKube, listOf } from '../../kube/fake-kube.ts';

interface Objects {
  readonly services?: readonly object[];
  readonly pods?: readonly object[];
  /** Collections that must not be listed. */
  readonly forbidden?: readonly string[];
}

/** Label selectors are not evaluated: the API server does that. Each collection is what its selector would select. */
function find({ services = [], pods = [], forbidden = [] }: Objects) {
  const kube = fakeKube((asked) => {
    const plural = asked.path.split('/').at(-1) ?? '';
    const selector = asked.query?.['labelSelector'] ?? '';
    if (forbidden.includes(plural)) return { status: 403, body: { message: 'no' } };
    if (plural === 'services') return listOf(asked, selector.startsWith('operated') ? [] : services);
    const isOthers = selector.includes('alloy');
    return listOf(
      asked,
      pods.filter((pod) => JSON.stringify(pod).includes('alloy') === isOthers),
    );
  });
  return findScrapers(createClusterReader(kube, new AbortController().signal), proxy);
}

const opened: string[] = [];
const proxy: PodProxy = {
  get: ({ pod, port }) => refuse(`pod ${pod}:${port}`),
  getService: ({ service, port }) => refuse(`service ${service}:${port}`),
};

function refuse(what: string): Promise<never> {
  opened.push(what);
  return Promise.reject(new Error('nothing is asked here'));
}

function service(
  name: string,
  words: object = {},
  ports: readonly object[] = [{ name: 'http-web', port: 9090, targetPort: 'web' }],
) {
  return { metadata: { namespace: 'monitoring', name, labels: {}, ...words }, spec: { selector: { app: 'p' }, ports } };
}

function replica(name: string, labels: object = {}) {
  const containers = [{ ports: [{ name: 'web', containerPort: 9090 }] }];
  return { metadata: { namespace: 'monitoring', name, labels }, spec: { containers }, status: { phase: 'Running' } };
}

suite('scrapers', () => {
  test('two Services of one Prometheus are one, and with one pod the Service is asked', async () => {
    const { scrapers, needs } = await find({
      services: [service('prometheus'), service('prometheus-operated')],
      pods: [replica('p-0')],
    });
    assert.deepEqual([scrapers.map(({ name }) => name), needs], [['Prometheus monitoring/prometheus'], undefined]);
    await scrapers[0]?.api.data('/x');
    assert.equal(opened.at(-1), 'service prometheus:9090');
  });

  test('of several replicas each is asked by itself, and of one shard of the Operator one', async () => {
    const { scrapers } = await find({ services: [service('prometheus')], pods: [replica('p-0'), replica('p-1')] });
    assert.deepEqual(
      scrapers.map(({ name }) => name),
      ['Prometheus monitoring/p-0', 'Prometheus monitoring/p-1'],
    );
    await scrapers[1]?.api.data('/x');
    assert.equal(opened.at(-1), 'pod p-1:9090');
    const shard = (name: string, number: string) =>
      replica(name, { 'operator.prometheus.io/name': 'k8s', 'operator.prometheus.io/shard': number });
    const sharded = await find({
      services: [service('p')],
      pods: [shard('a-0', '0'), shard('a-1', '0'), shard('b-0', '1')],
    });
    assert.deepEqual(
      sharded.scrapers.map(({ name }) => name),
      ['Prometheus monitoring/a-0', 'Prometheus monitoring/b-0'],
    );
  });

  test('vmagent is known by its labels, and Alloy is named with its page', async () => {
    const labels = { 'app.kubernetes.io/name': 'vmagent' };
    const alloy = { metadata: { namespace: 'obs', name: 'alloy-0', labels: { 'app.kubernetes.io/name': 'alloy' } } };
    const { scrapers, others } = await find({
      services: [service('agent', { labels }, [{ name: 'http', port: 8429 }])],
      pods: [alloy],
    });
    assert.deepEqual(
      scrapers.map(({ name, kind }) => [name, kind]),
      [['vmagent monitoring/agent', 'vmagent']],
    );
    assert.deepEqual(others, [
      { name: 'Alloy in namespace obs', page: 'the page of its component prometheus.scrape, at port 12345' },
    ]);
  });

  test('a right that is missing is named', async () => {
    assert.equal((await find({ forbidden: ['services'] })).needs, 'list on services');
  });

  test('a place is a Service or a URL', () => {
    assert.deepEqual(readScraperPlace('svc/monitoring/p:9090'), {
      namespace: 'monitoring',
      service: 'p',
      port: '9090',
    });
    assert.deepEqual(readScraperPlace('https://p.example/prometheus'), new URL('https://p.example/prometheus'));
    for (const bad of ['p', 'svc/p:9090', 'file:///etc/passwd', 'svc/a/b'])
      assert.equal(readScraperPlace(bad), undefined);
  });
});

suite("a scraper's API", () => {
  test('the token goes to the URL, items are read one by one, and what is no API is said', async (t) => {
    const server = createServer((asked, response) => {
      if (asked.headers.authorization !== 'Bearer secret') return response.writeHead(401).end();
      if (asked.url === '/html') return response.end('<html></html>');
      if (asked.url === '/other') return response.end('{"status":"error"}');
      return response.end(
        '{"status":"success","data":{"activeTargets":[{"a":[1]},{"a":"]"}],"droppedTargets":[{"b":1}],"n":3}}',
      );
    });
    const url = new URL(`http://127.0.0.1:${await listenOnLoopback(t, server)}/`);
    const items: unknown[] = [];
    const read = await atUrl(url, 'secret').items('/', (item) => items.push(item));
    assert.deepEqual(items, [{ a: [1] }, { a: ']' }, { b: 1 }]);
    assert.deepEqual(read, { ok: true, value: { activeTargets: [], droppedTargets: [], n: 3 } });
    const error = async (path: string, token?: string) => {
      const answered = await atUrl(url, token).data(path);
      return answered.ok ? '' : answered.error;
    };
    assert.match(await error('/'), /^a login of the scraper: status 401/);
    assert.match(await error('/html', 'secret'), /^an answer in JSON/);
    assert.match(await error('/other', 'secret'), /^an answer of Prometheus' form/);
  });

  test('a server that switches protocols, or ends in between, is an answer that is missing', async (t) => {
    for (const words of [
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab',
      '',
    ]) {
      const server = listen((socket) => void socket.once('data', () => socket.end(words)));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.after(() => server.close());
      const address = server.address();
      assert.ok(typeof address === 'object' && address !== null);
      const url = new URL(`http://127.0.0.1:${address.port}/`);
      const answered = await atUrl(url, undefined).data('/');
      assert.match(
        answered.ok ? '' : answered.error,
        /^an answer: (?:the connection was closed|aborted|socket hang up)$/,
      );
      assert.equal(await readPage(() => Promise.resolve(request(url)), 1000), undefined);
    }
  });

  test('a scraper that was silent once is not asked again', async (t) => {
    const asked = Promise.withResolvers<void>();
    let requests = 0;
    const server = createServer(() => {
      requests += 1;
      asked.resolve();
    });
    const api = atUrl(new URL(`http://127.0.0.1:${await listenOnLoopback(t, server)}/`), undefined);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const first = api.data('/api/v1/targets');
    await asked.promise;
    t.mock.timers.tick(15_000);
    const silent = { ok: false, error: 'an answer: nothing came for 15 s' };
    for (const answered of [await first, await api.data('/api/v1/status/config'), await api.text('/metrics')]) {
      assert.deepEqual({ ok: answered.ok, error: answered.ok ? '' : answered.error }, silent);
    }
    assert.equal(requests, 1);
  });

  test("of a page's address as it is copied from a browser only the path counts", async (t) => {
    const server = createServer((asked, response) =>
      response.end(JSON.stringify({ status: 'success', data: { path: asked.url } })),
    );
    const port = await listenOnLoopback(t, server);
    for (const [address, path] of [
      ['/', '/api'],
      ['/prometheus/', '/prometheus/api'],
      ['/?search=a#/targets', '/api'],
    ] as const)
      assert.deepEqual(await atUrl(new URL(`http://127.0.0.1:${port}${address}`), undefined).data('/api'), {
        ok: true,
        value: { path },
      });
  });

  test('an answer of more than 64 MiB is not read to its end, and little of it is kept', async (t) => {
    const item = `{"discoveredLabels":{"x":"${'y'.repeat(1024 * 1024)}"}},`;
    let sent = 0;
    const server = createServer((_, response) => {
      response.write('{"status":"success","data":{"activeTargets":[');
      const more = (): void => {
        while (!response.destroyed && sent < 200) {
          sent += 1;
          if (!response.write(item)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const url = new URL(`http://127.0.0.1:${await listenOnLoopback(t, server)}/`);
    let seen = 0;
    const read = await atUrl(url, undefined).items('/', () => (seen += 1));
    assert.equal(read.ok ? '' : read.error, 'an answer: the answer is larger than 64 MiB');
    assert.ok(seen >= 60 && seen <= 64, `${seen} items`);
  });

  test('a Service that refuses http is asked over https, from then on', async (t) => {
    const schemes: string[] = [];
    const server = createServer((asked, response) => {
      if (asked.url === '/http')
        return response.writeHead(400).end('Client sent an HTTP request to an HTTPS server.\n');
      return response.end('{"status":"success","data":{}}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const through: PodProxy = {
      get: () => refuse('pod'),
      getService({ scheme = 'http' }) {
        schemes.push(scheme);
        return Promise.resolve(request(`http://127.0.0.1:${address.port}/${scheme}`));
      },
    };
    const api = throughService({ namespace: 'm', service: 'p', port: '9090' }, through);
    assert.deepEqual([(await api.data('/')).ok, (await api.data('/')).ok], [true, true]);
    assert.deepEqual(schemes, ['http', 'https', 'https']);
  });
});
