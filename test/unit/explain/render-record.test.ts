import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { hasControls } from '../../../src/core/control-characters.ts';
import { renderRecord } from '../../../src/explain/render-record.ts';

/** Strings of which many have control characters, direction marks, or what YAML reads as something else. */
const text = fc.oneof(
  fc.string(),
  fc.string({
    unit: fc.constantFrom(
      '\u001B',
      '[31m',
      '\u009B',
      '\u007F',
      '\u0085',
      '\u202E',
      '\u2028',
      '\n',
      '\r',
      ' ',
      '#',
      'x',
    ),
  }),
);

test('a record of any content has no control characters in JSON or YAML, is one line of JSON, and says the same', () => {
  fc.assert(
    fc.property(text, text, (key, value) => {
      const record = { ['k' + key]: value, list: [value, { deep: key }], number: 1, nothing: null };
      const json = renderRecord('json', record);
      assert.equal(json.indexOf('\n'), json.length - 1);
      assert.deepEqual(JSON.parse(json), record);
      const yaml = renderRecord('yaml', record);
      assert.deepEqual(parse(yaml), record);
      for (const line of [json.trimEnd(), ...yaml.split('\n')]) assert.ok(!hasControls(line), JSON.stringify(line));
    }),
  );
});
