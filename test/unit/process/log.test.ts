import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createLog } from '../../../src/process/log.ts';

test('a line has its time in RFC 3339, in UTC with milliseconds', (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => lines.push(line) });
  // From 2001 to 2100; times that follow each other within a second, too.
  const times = fc.array(fc.tuple(fc.integer({ min: 1e9, max: 4e9 }), fc.array(fc.nat(1999), { minLength: 1 })));
  fc.assert(
    fc.property(times, (some) => {
      for (const [second, milliseconds] of some) {
        for (const more of milliseconds) {
          t.mock.timers.setTime(second * 1000 + more);
          log.info('hello');
          const { time } = JSON.parse(lines.at(-1) ?? '');
          assert.equal(time, new Date(second * 1000 + more).toISOString());
        }
      }
    }),
  );
});
