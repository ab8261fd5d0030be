import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ApiRequest, ApiResponse } from '../../../src/kube/client.ts';
import { createLog } from '../../../src/process/log.ts';
import { createGuard } from '../../../src/reconcile/guard.ts';
import { fakeKube, FORBIDDEN, RIGHT_IS_MISSING } from '../kube/fake-kube.ts';
import { denied } from './guard-messages.ts';

const REFUSED: ApiResponse = { status: 422, body: { message: denied('the autoscrape reconciler must not') } };
const CHANGED: ApiResponse = { status: 200, body: {} };
const AWAY: ApiResponse = { status: 503, body: { message: 'away' } };

/** A guard that is checked until the test ends, and what it has said and done so far. */
function start(t: TestContext, answer: () => ApiResponse) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent: ApiRequest[] = [];
  const logged: string[] = [];
  const failed: number[] = [];
  const stop = new AbortController();
  const guard = createGuard({
    kube: fakeKube((request) => {
      sent.push(request);
      return answer();
    }),
    policy: 'autoscrape-reconciler',
    pod: { namespace: 'autoscrape', name: 'me' },
    metrics: { failed: (_, { status }) => void failed.push(status) },
    log: createLog('info', { write: (line) => void logged.push(String((JSON.parse(line) as { msg: unknown }).msg)) }),
    signal: stop.signal,
  });
  const running = guard.run();
  t.after(async () => {
    stop.abort();
    await running;
    await guard.wait();
  });
  const isOpen = async () => {
    const open = guard.wait().then(() => true);
    return Promise.race([open, new Promise((resolve) => setImmediate(() => resolve(false)))]);
  };
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
      t.mock.timers.tick(1000);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { sent, logged, failed, isOpen, pass };
}

suite('the guard of the reconciler', () => {
  test("is asked with a dry run that would change the process' own labels, and holds when its policy refuses", async (t) => {
    const { sent, logged, isOpen, pass } = start(t, () => REFUSED);
    await pass(1);
    assert.equal(await isOpen(), true);
    const [{ method, path, query, body } = assert.fail()] = sent;
    assert.deepEqual([method, path, query?.['dryRun']], ['PATCH', '/api/v1/namespaces/autoscrape/pods/me', 'All']);
    assert.deepEqual(Object.keys(body as object), ['metadata']);
    assert.deepEqual(logged, []);
  });

  for (const [what, response] of Object.entries({
    'nobody refuses': CHANGED,
    'another policy refuses': FORBIDDEN,
    'a policy refuses whose name only begins like that': {
      status: 422,
      body: { message: denied('no').replace('-reconciler', '-reconciler-2') },
    },
    'a right is missing': RIGHT_IS_MISSING,
    'there is no such pod': { status: 404, body: { message: 'pods "me" not found' } },
    'the API server is away': AWAY,
  })) {
    test(`does not hold where ${what}: that is said once, counted each time, and checked at least every minute`, async (t) => {
      let answer: ApiResponse = response;
      const { sent, logged, failed, isOpen, pass } = start(t, () => answer);
      await pass(600);
      assert.equal(await isOpen(), false);
      assert.deepEqual(logged, ['guard missing, no pod is patched until it is found']);
      assert.ok(sent.length >= 10 && sent.length <= 30, String(sent.length));
      assert.equal(failed.length, sent.length);
      answer = REFUSED;
      await pass(60);
      assert.equal(await isOpen(), true);
      assert.equal(logged.at(-1), 'guard found');
    });
  }

  test('is noticed within a minute when somebody deletes it, but not while the API server is away', async (t) => {
    let answer: ApiResponse = REFUSED;
    const { logged, isOpen, pass } = start(t, () => answer);
    await pass(1);
    answer = AWAY;
    await pass(200);
    assert.equal(await isOpen(), true);
    answer = CHANGED;
    await pass(61);
    assert.equal(await isOpen(), false);
    assert.equal(logged.length, 1);
  });
});
