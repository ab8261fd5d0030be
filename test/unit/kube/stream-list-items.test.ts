import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { createItemReader } from '../../../src/kube/stream-list-items.ts';
import { anyCharacter } from '../../harness/pods/any-character.ts';

/** Returns what a reader makes of a string that comes in pieces of `size` bytes. */
function read(text: string, size: number): { list: unknown; items: unknown[] } {
  const items: unknown[] = [];
  const reader = createItemReader((item) => items.push(item));
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return { list: reader.end(), items };
}

test('whatever the items are and wherever the pieces end, it reads what JSON.parse reads', () => {
  const metadata = fc.dictionary(fc.string({ unit: anyCharacter }), fc.jsonValue());
  fc.assert(
    fc.property(
      metadata,
      fc.array(fc.jsonValue()),
      fc.boolean(),
      fc.integer({ min: 1, max: 40 }),
      (found, values, pretty, size) => {
        const list = { kind: 'PodList', metadata: found, items: values };
        const text = JSON.stringify(list, undefined, pretty ? 2 : 0);
        const want: { items: unknown[] } = JSON.parse(text);
        assert.deepEqual(read(text, size), { list: { ...want, items: [] }, items: want.items });
      },
    ),
  );
});

test('a list without items, and one with null for them, has none', () => {
  for (const text of ['{"metadata":{}}', '{"metadata":{},"items":null}', '{"metadata":{},"items":[ ]}']) {
    assert.deepEqual(read(text, 3).items, []);
  }
});

test('a list that breaks off, and what is no object, throws', () => {
  const whole = '{"metadata":{},"items":[{"a":"b"},{"c":"]"}]}';
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => read(whole.slice(0, length), 7), SyntaxError, whole.slice(0, length));
  }
  for (const text of ['null', '"x"', '<html>']) assert.throws(() => read(text, 2), SyntaxError);
});
