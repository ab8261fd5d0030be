import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isAskablePath, pathSuggestedBy, pathsToAsk } from '../../../../src/core/ask/ask-path.ts';
import { readAskedPod } from '../../../../src/core/ask/asked-pod.ts';
import { pathsOfPort } from '../../../../src/core/ask/paths-of-port.ts';
import { anyCharacter } from '../../../harness/pods/any-character.ts';

function pathsOf(container: object, stated: readonly string[] = []): string {
  const [read] = readAskedPod({ spec: { containers: [container] } }).containers;
  return pathsOfPort(read, 8080, stated).join(' ');
}

function probed(path: string, port: unknown = 8080): object {
  return { livenessProbe: { httpGet: { port, path } } };
}

const ROWS: readonly (readonly [what: string, container: object, expected: string])[] = [
  ['nothing said', {}, '/metrics'],
  ['Spring Boot by its probe', probed('/actuator/health/liveness'), '/actuator/prometheus /metrics'],
  ['with a context path', probed('/shop/actuator/health'), '/shop/actuator/prometheus /metrics'],
  ['Quarkus by its probe', probed('/q/health/live'), '/q/metrics /metrics'],
  ['a probe below a path', probed('/api/v1/healthz'), '/api/v1/metrics /metrics'],
  ['a probe at the top', probed('/healthz'), '/metrics'],
  ['a probe that tells no base', probed('/api/v1/things'), '/metrics'],
  ['a probe of another port', probed('/shop/health', 81), '/metrics'],
  ['a probe with a query', probed('/shop/health?full=1'), '/shop/metrics /metrics'],
  ['a probe that must not be asked', probed('/a b/health'), '/metrics'],
  [
    "a context path in Spring's argument",
    { args: ['--server.servlet.context-path=/shop'] },
    '/shop/actuator/prometheus /metrics',
  ],
  [
    'in a variable',
    { env: [{ name: 'SERVER_SERVLET_CONTEXT_PATH', value: '/shop/' }] },
    '/shop/actuator/prometheus /metrics',
  ],
  [
    "a base path of the actuator's",
    { env: [{ name: 'MANAGEMENT_ENDPOINTS_WEB_BASE_PATH', value: '/manage' }] },
    '/manage/prometheus /metrics',
  ],
  [
    'as a system property',
    { command: ['java', '-Dserver.servlet.context-path=/shop'] },
    '/shop/actuator/prometheus /metrics',
  ],
];

for (const [what, container, expected] of ROWS)
  test(`${what}: ${expected}`, () => assert.equal(pathsOf(container), expected));

test('what is stated comes first, and three are enough', () => {
  assert.equal(pathsOf(probed('/actuator/health'), ['/m', '/n', '/o']), '/m /n /metrics');
  assert.equal(pathsOf(probed('/actuator/health'), ['/m']), '/m /actuator/prometheus /metrics');
  assert.deepEqual(pathsToAsk(['/metrics', 'x', '/a?b', '/c']), ['/metrics', '/c']);
});

test('which paths may be asked and written', () => {
  const may = ['/', '/metrics', '/metrics/', "/a-b._~!$&'()*+,;=:@/c", `/${'a'.repeat(254)}`, '/..a', '/a..'];
  const must = [
    '',
    'metrics',
    '//a',
    '/a?b',
    '/a#b',
    '/a b',
    '/a%20b',
    '/é',
    '/a\nb',
    '/a/../b',
    '/.',
    '/..',
    '/a/.',
    `/${'a'.repeat(255)}`,
    '/a"b',
    '/a\\b',
    '/{a}',
    '/a|b',
  ];
  assert.deepEqual([...may, ...must].filter(isAskablePath), may);
});

const PATH_CHARACTERS = "abcxyzABCXYZ0189-._~!$&'()*+,;=:@";

/** A path of RFC 3986, as fc.webPath(), whose first one takes more than a second of CPU. */
const webPath = fc
  .array(
    fc.string({
      unit: fc.oneof(
        { weight: 10, arbitrary: fc.constantFrom(...PATH_CHARACTERS.split('')) },
        { weight: 1, arbitrary: anyCharacter.map((character) => encodeURIComponent(character)) },
      ),
    }),
  )
  .map((segments) => segments.map((segment) => `/${segment}`).join(''));

test('whatever a pod says, the paths may be asked', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), webPath, (a, b, path) => {
      const paths = pathsOf({ ...probed(path + a), args: [`--server.servlet.context-path=/${b}`] }, [a, path]).split(
        ' ',
      );
      assert.ok(paths.length <= 3 && paths.every(isAskablePath), paths.join(' '));
    }),
  );
});

test('an answer suggests paths of ours only', () => {
  fc.assert(
    fc.property(fc.string(), (start) => {
      const path = pathSuggestedBy(start);
      assert.ok(path === undefined || ['/actuator/prometheus', '/prometheus', '/q/metrics'].includes(path));
    }),
  );
  assert.equal(pathSuggestedBy('<h1>whitelabel error page</h1>'), '/actuator/prometheus');
  assert.equal(pathSuggestedBy('{"_links":{"self":[{"href":"/metrics"}]},"message":"not found"}'), '/prometheus');
  assert.equal(pathSuggestedBy('<html><body><h1>resource not found</h1></body></html>'), '/q/metrics');
  assert.equal(pathSuggestedBy('404 page not found'), undefined);
});
