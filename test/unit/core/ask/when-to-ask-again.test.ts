import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askAgainAfter } from '../../../../src/core/ask/when-to-ask-again.ts';
import type { Verdict } from '../../../../src/core/ask/verdict.ts';

const NO = [10, 60, 1440, undefined, undefined, undefined];
const NOTHING = [1, 5, 30, 360, 1440, 1440];
const ONCE = Array<undefined>(6).fill(undefined);

const ROWS: readonly (readonly [Verdict, readonly (number | undefined)[]])[] = [
  [{ key: 'metrics', format: 'text', series: 1, beyondRuntime: true, sure: true }, ONCE],
  [{ key: 'metrics_empty', sure: true }, ONCE],
  [{ key: 'metrics_empty', sure: false }, NO],
  [{ key: 'html' }, NO],
  [{ key: 'not_found', status: 404 }, NO],
  [{ key: 'needs_auth', status: 401 }, NO],
  [{ key: 'too_slow', answered: true }, NO],
  [{ key: 'not_200', status: 202 }, NO],
  [{ key: 'not_200', status: 204 }, NOTHING],
  [{ key: 'server_error', status: 500 }, NOTHING],
  [{ key: 'refused' }, NOTHING],
  [{ key: 'timeout' }, NOTHING],
  [{ key: 'mesh_denied', status: 403 }, NOTHING],
  [{ key: 'never_list' }, NOTHING],
  [{ key: 'not_http' }, ONCE],
];

for (const [verdict, minutes] of ROWS) {
  test(`after ${JSON.stringify(verdict)} it is asked again after ${minutes.join(', ')} minutes`, () => {
    const after = minutes.map((_, index) => askAgainAfter(verdict, index + 1));
    assert.deepEqual(
      after.map((ms) => (ms === undefined ? undefined : ms / 60_000)),
      minutes,
    );
  });
}
