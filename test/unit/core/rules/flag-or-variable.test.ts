import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compilePattern } from '../../../../src/core/rules/re2-pattern.ts';
import { readPod } from '../../../../src/core/pod/pod.ts';
import type { Container } from '../../../../src/core/pod/pod.ts';
import { settingOf, variables } from '../../../../src/core/rules/flag-or-variable.ts';
import type { Setting } from '../../../../src/core/rules/flag-or-variable.ts';
import { startWork } from '../../../../src/core/step-budget.ts';

function setting(source: string): Setting {
  const pattern = compilePattern(source);
  assert.ok(pattern.ok, source);
  return settingOf(pattern.value);
}

function containerWith(environment: readonly (readonly [name: string, value: string])[]): Container {
  const env = environment.map(([name, value]) => ({ name, value }));
  const container = readPod({ metadata: {}, spec: { containers: [{ name: 'app', env }] } })?.containers[0];
  assert.ok(container !== undefined);
  return container;
}

test('variables whose names cannot match are not looked at', () => {
  const own = setting('([A-Z]+_)*METRICS_(PORT|ADDR)=.*');
  assert.deepEqual(own.nameParts, ['METRICS_']);
  assert.deepEqual(variables(own, containerWith([['LOG_LEVEL', 'METRICS_PORT=1']])), []);
  assert.deepEqual(variables(own, containerWith([['A_METRICS_PORT', '1']])), ['A_METRICS_PORT=1']);
});

test('of a pattern that may take a part of the value for the name, nothing is certain', () => {
  for (const source of [
    '.*METRICS.*=.*',
    '[^a]*METRICS=.*',
    'A=(b)|METRICS=c',
    String.raw`\S*METRICS=.*`,
    '(A=)?METRICS=.*',
  ]) {
    assert.equal(setting(source).nameParts, undefined, source);
  }
});

const part = fc.constantFrom(
  'A',
  'AB',
  '_',
  '=',
  '.',
  '.*',
  '[A-Z]',
  '[^=]',
  '(A|_B)',
  '(A_)?',
  '([A-Z]+_)*',
  '(?:B|=)',
  '|',
  String.raw`\S`,
);
const name = fc.stringMatching(/^[AB_]{1,4}$/);
const value = fc.stringMatching(/^[AB_=]{0,3}$/);

test('what is left out would not have matched, whatever the pattern and the variables', () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }),
      fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 5 }),
      (parts, env) => {
        const pattern = compilePattern(parts.join(''));
        if (!pattern.ok) return;
        const container = containerWith(env);
        const matches = (text: string): boolean => pattern.value.matches(text, startWork());
        const found = variables(settingOf(pattern.value), container).filter(matches);
        assert.deepEqual(found.toSorted(), container.assignments().filter(matches).toSorted());
      },
    ),
    { numRuns: 5000 },
  );
});
