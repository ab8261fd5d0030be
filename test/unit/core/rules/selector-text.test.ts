import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseSelector } from '../../../../src/core/rules/selector-text.ts';

suite('a label selector as kubectl has it', () => {
  const cases = {
    '': [],
    ' ': [],
    team: [{ key: 'team', operator: 'Exists' }],
    'in in (in)': [{ key: 'in', operator: 'In', values: ['in'] }],
    '!example.com/legacy': [{ key: 'example.com/legacy', operator: 'DoesNotExist' }],
    'team=shop': [{ key: 'team', operator: 'In', values: ['shop'] }],
    'team = shop, tier == web': [
      { key: 'team', operator: 'In', values: ['shop'] },
      { key: 'tier', operator: 'In', values: ['web'] },
    ],
    'team=,tier!=a.b_c-d': [
      { key: 'team', operator: 'In', values: [''] },
      { key: 'tier', operator: 'NotIn', values: ['a.b_c-d'] },
    ],
    'kubernetes.io/metadata.name notin (a, b),x in (),notin': [
      { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['a', 'b'] },
      { key: 'x', operator: 'In', values: [''] },
      { key: 'notin', operator: 'Exists' },
    ],
  } as const;
  for (const [text, requirements] of Object.entries(cases)) {
    test(`is read: ${text}`, () => {
      assert.deepEqual(parseSelector(text), {
        ok: true,
        value: { text: text.trim() === '' ? '' : text, requirements },
      });
    });
  }

  for (const text of ['team=shop,', ',', 'a b', 'a in b', 'a in (b', 'a=b=c', 'a>1', '=', '{"matchLabels":{}}']) {
    test(`is refused: ${text}`, () => {
      const parsed = parseSelector(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.error, /is not a label selector|ends with a comma/);
    });
  }
});
