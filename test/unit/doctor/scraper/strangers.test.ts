import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { ServerResponse } from 'node:http';
import test from 'node:test';
import type { TestContext } from 'node:test';
import type { FoundScrapers, Scraper } from '../../../../src/doctor/scraper/find-scrapers.ts';
import { readScrapers } from '../../../../src/doctor/scraper/read-scraper.ts';
import { atUrl, throughService } from '../../../../src/doctor/scraper/scraper-api.ts';
import type { ScraperApi } from '../../../../src/doctor/scraper/scraper-api.ts';
import { scrapersSection } from '../../../../src/doctor/scraper/scrapers-section.ts';
import { listenOnLoopback } from '../../../harness/process/listen.ts';

// Charts give `app: prometheus` to Alertmanager, exporters and others that stand beside a Prometheus.

const POD = { metadata: { namespace: 'shop', name: 'orders-1', uid: 'u1' } };

type Answers = Readonly<Record<string, (response: ServerResponse) => void>>;

/** Returns the API of a server that answers 404 to paths that it does not know. */
async function serve(t: TestContext, answers: Answers): Promise<ScraperApi> {
  const server = createServer((asked, response) => {
    const { pathname } = new URL(asked.url ?? '', 'http://here');
    const answer = answers[pathname] ?? answers['*'];
    if (answer === undefined) response.writeHead(404).end('404 page not found\n');
    else answer(response);
  });
  return atUrl(new URL(`http://127.0.0.1:${await listenOnLoopback(t, server)}/`), undefined);
}

const json = (value: unknown) => (response: ServerResponse) => void response.end(JSON.stringify(value));
const page = (response: ServerResponse): void => void response.end('<html></html>');
const status =
  (code: number, headers = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(code, headers).end();

function scraper(name: string, api: ScraperApi, isGuess = true): Scraper {
  return { name: `Prometheus monitoring/${name}`, kind: 'Prometheus', api, isGuess, pods: [] };
}

async function read(...scrapers: readonly Scraper[]) {
  const found: FoundScrapers = { scrapers, others: [], needs: undefined };
  const answered = await readScrapers(found, [POD], 'prometheus.io/scrape');
  return { says: answered.scrapers(POD), strangers: answered.strangers, section: scrapersSection(found, answered) };
}

const PROMETHEUS: Answers = {
  '/api/v1/targets': json({ status: 'success', data: { activeTargets: [], droppedTargets: [] } }),
  '/api/v1/status/config': json({ status: 'success', data: { yaml: 'scrape_configs: []\n' } }),
};

test('an Alertmanager with the label does not keep doctor from saying that there is no target', async (t) => {
  const alertmanager = scraper('alertmanager', await serve(t, { '/': page }));
  const { says, section } = await read(scraper('server', await serve(t, PROMETHEUS)), alertmanager);
  assert.ok('active' in says);
  assert.equal(says.prometheus, 'Prometheus monitoring/server');
  assert.deepEqual(
    section.lines.map(({ state, title }) => [state, title]),
    [
      ['ok', 'Prometheus monitoring/server : 0 targets; no job reads annotations'],
      ['ok', 'monitoring/alertmanager has the labels of Prometheus, and is none by its answer'],
    ],
  );
});

test('where nothing but strangers has the labels no scraper is found', async (t) => {
  const { says, section } = await read(scraper('exporter', await serve(t, { '*': json({ message: 'hello' }) })));
  assert.ok('isNone' in says && says.isNone);
  assert.deepEqual(
    section.lines.flatMap((line) => ('id' in line ? [line.id] : [])),
    ['scraper-not-found'],
  );
});

const SITUATIONS: readonly (readonly [what: string, answers: Answers, isStranger: boolean])[] = [
  ['a path that is not served', {}, true],
  ['a method that is not served', { '*': status(405) }, true],
  ['JSON of another form', { '*': json({ alerts: [] }) }, true],
  ['another API with success and no targets', { '*': json({ status: 'success', data: {} }) }, true],
  ['a Prometheus with a route prefix', { '/': status(302, { location: '/prometheus/' }) }, false],
  ['a login page', { '*': page }, false],
  ['a login', { '*': status(401) }, false],
  ['a redirect to a login', { '*': status(302, { location: 'https://login.example/' }) }, false],
  ['a server that fails', { '*': status(500) }, false],
];

for (const [what, answers, isStranger] of SITUATIONS)
  test(`has the labels of Prometheus: ${what} is ${isStranger ? 'none' : 'perhaps one'}`, async (t) => {
    const { strangers, says } = await read(scraper('x', await serve(t, answers)));
    assert.equal(strangers.length, isStranger ? 1 : 0);
    assert.ok('needs' in says);
  });

test('what the user has named is never taken for another thing', async (t) => {
  const { strangers, says } = await read(scraper('x', await serve(t, {}), false));
  assert.deepEqual([strangers, 'needs' in says && says.needs], [[], 'an answer with status 200: it is 404']);
});

test('what speaks neither HTTP nor HTTPS is none', async (t) => {
  // The API server says so for the Service behind it.
  const bodies = {
    http: 'error trying to reach service: net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x00"',
    https: 'error trying to reach service: tls: first record does not look like a TLS handshake',
  };
  const server = createServer((asked, response) => {
    response.writeHead(503).end(asked.url === '/https' ? bodies.https : bodies.http);
  });
  const port = await listenOnLoopback(t, server);
  const api = throughService(
    { namespace: 'monitoring', service: 'grpc', port: '9090' },
    {
      get: () => Promise.reject(new Error('no pod')),
      getService: ({ scheme = 'http' }) => Promise.resolve(request(`http://127.0.0.1:${port}/${scheme}`)),
    },
  );
  assert.equal((await read(scraper('grpc', api))).strangers.length, 1);
});
