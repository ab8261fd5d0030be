import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Kube, WatchStream } from '../../../src/kube/client.ts';
import { listWatch } from '../../../src/kube/list-watch.ts';
import { fakeKube, listOf } from './fake-kube.ts';
import { useVirtualClock } from './virtual-clock.ts';

/**
 * What happens on one watch: the status of its start, its lines, and whether its connection breaks
 * at the end.
 */
interface Watch {
  readonly status?: number;
  readonly lines?: readonly object[];
  readonly breaks?: boolean;
  readonly retryAfter?: number;
  /** No connection at all. */
  readonly away?: boolean;
}

function event(resourceVersion: string): object {
  return { type: 'BOOKMARK', object: { metadata: { resourceVersion } } };
}

/**
 * Runs a list-watch through these watches in virtual time, and returns the requests, the reported
 * failures, and when watches were requested, in milliseconds.
 */
async function through(
  t: TestContext,
  watches: readonly Watch[],
): Promise<{ calls: string[]; failures: number[]; at: number[] }> {
  const clock = useVirtualClock(t);
  const calls: string[] = [];
  const failures: number[] = [];
  const at: number[] = [];
  const stop = new AbortController();
  let index = 0;
  const lister = fakeKube((request) => {
    calls.push('list');
    return listOf(request, []);
  });
  const kube: Kube = {
    ...lister,
    async watch(_path, query): Promise<WatchStream> {
      calls.push(`watch ${query['resourceVersion']}`);
      at.push(clock.now());
      const watch = watches[index];
      index += 1;
      if (watch === undefined) stop.abort();
      const { status = 200, lines = [], breaks = false, retryAfter, away = false } = watch ?? {};
      if (away) throw new Error('connection refused');
      return { status, lines: stream(lines, breaks), ...(retryAfter === undefined ? {} : { retryAfter }) };
    },
  };
  const handler = {
    beginList: () => ({ add: () => undefined, finish: () => undefined }),
    changed: () => undefined,
    deleted: () => undefined,
    failed: (_: string, { status }: { status: number }) => failures.push(status),
  };
  const running = listWatch(kube, { path: '/pods' }, handler, { signal: stop.signal, relistMs: 600_000 });
  await clock.runUntil(() => stop.signal.aborted, 60_000);
  stop.abort();
  await running;
  return { calls, failures, at };
}

async function* stream(lines: readonly object[], breaks: boolean): AsyncGenerator<unknown, void> {
  yield* lines;
  if (breaks) throw new Error('connection reset');
}

const cases: readonly [
  what: string,
  watches: readonly Watch[],
  calls: readonly string[],
  failures: readonly number[],
][] = [
  [
    'a watch that ended continues from the last version',
    [{ lines: [event('7')] }],
    ['list', 'watch 1000', 'watch 7'],
    [],
  ],
  [
    'a broken connection resumes the watch without a report',
    [{ breaks: true }],
    ['list', 'watch 1000', 'watch 1000'],
    [],
  ],
  [
    'connections that break after an event resume each time',
    ['7', '8', '9'].map((version) => ({ lines: [event(version)], breaks: true })),
    ['list', 'watch 1000', 'watch 7', 'watch 8', 'watch 9'],
    [],
  ],
  [
    'an unreachable API server is reported, and retried without a list',
    [{ breaks: true }, { away: true }, { status: 429 }],
    ['list', 'watch 1000', 'watch 1000', 'watch 1000', 'watch 1000'],
    [0, 429],
  ],
  [
    'a second failure in a row is reported and followed by a list',
    [{ status: 504 }, { status: 504 }],
    ['list', 'watch 1000', 'watch 1000', 'list', 'watch 1000'],
    [504],
  ],
  [
    'an expired version is followed by a list without a report',
    [{ lines: [{ type: 'ERROR', object: { code: 410 } }] }],
    ['list', 'watch 1000', 'list', 'watch 1000'],
    [],
  ],
  ['a refused watch is reported at once', [{ status: 403 }], ['list', 'watch 1000', 'list', 'watch 1000'], [403]],
];

suite('a list-watch', () => {
  for (const [what, watches, wantCalls, wantFailures] of cases) {
    test(what, async (t) => {
      const { calls, failures } = await through(t, watches);
      assert.deepEqual({ calls, failures }, { calls: wantCalls, failures: wantFailures });
    });
  }

  test('Retry-After is honoured on watches', async (t) => {
    const { at } = await through(t, [{ status: 429, retryAfter: 2 }]);
    const [first = 0, second = 0] = at;
    assert.ok(second - first >= 2000, `${second - first} ms`); // without it a second at most
  });
});
