import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { Document, Scalar, visit } from 'yaml';
import { parseManifest } from '../../../src/manifest/parse.ts';

const values = (text: string): readonly unknown[] => parseManifest(text).documents.map(({ value }) => value);

test('documents come in their order', () => {
  const text = '# a comment\n\nkind: A\n---\nkind: B\n--- # another\n# more\nkind: C\n';
  assert.deepEqual(parseManifest(text), {
    documents: [
      { value: { kind: 'A' }, line: 3 },
      { value: { kind: 'B' }, line: 5 },
      { value: { kind: 'C' }, line: 8 },
    ],
    problems: [],
  });
  assert.deepEqual(
    parseManifest('{"a": 1}\n\n{"b": [\n1]}').documents.map(({ line }) => line),
    [1, 3],
  );
});

test('empty documents, comments, directives, a byte order mark and Windows line ends are no trouble', () => {
  assert.deepEqual(values(''), []);
  assert.deepEqual(values('---\n---\n# nothing\n---\n'), []);
  assert.deepEqual(values('\uFEFF%YAML 1.2\r\n---\r\nkind: A\r\n...\r\n---\r\nkind: B\r\n'), [
    { kind: 'A' },
    { kind: 'B' },
  ]);
});

test('a line of dashes inside a block of text cuts nothing', () => {
  assert.deepEqual(values('data: |\n  ---\n  text\n'), [{ data: '---\ntext\n' }]);
});

test('JSON is read as one value, as several one after another, and as YAML in flow style', () => {
  assert.deepEqual(values('{"a": [1]}'), [{ a: [1] }]);
  assert.deepEqual(values('[{"a": 1}]'), [[{ a: 1 }]]);
  const several = '{"a": "}{"}\n{\n  "b": "\\"{"\n}\n';
  assert.deepEqual(values(several), [{ a: '}{' }, { b: '"{' }]);
  assert.deepEqual(values('{a: 1, b: [x]}'), [{ a: 1, b: ['x'] }]);
});

test('anchors and merge keys are followed, aliases that would explode are refused', () => {
  assert.deepEqual(values('base: &b { x: 1 }\nmore: { <<: *b, y: 2 }'), [{ base: { x: 1 }, more: { x: 1, y: 2 } }]);
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i, all) =>
    i === 0 ? name : `${name}: &${name} [${`*${all[i - 1]?.[0]}, `.repeat(9)}]`,
  );
  const { problems } = parseManifest(bomb.join('\n'));
  assert.match(problems[0]?.message ?? '', /alias/i);
});

test('a plain << is a merge key and a quoted one is a key like any other, as Kubernetes reads them', () => {
  // Measured with sigs.k8s.io/yaml 1.6, which kubectl and the API server read YAML with.
  assert.deepEqual(values('<<: { a: 1 }\nb: 2\n'), [{ a: 1, b: 2 }]);
  assert.deepEqual(values('<<: {}\n'), [{}]);
  for (const key of ['"<<"', "'<<'"]) assert.deepEqual(values(`${key}: { a: 1 }\n`), [{ '<<': { a: 1 } }]);
  assert.match(parseManifest('<<: 1\n').problems[0]?.message ?? '', /^not YAML: merge sources must be maps/);
});

test('keys that mean something to JavaScript are keys like any other', () => {
  for (const text of ['{"__proto__": {"x": 1}}', '__proto__: { x: 1 }']) {
    const [value] = values(text);
    assert.deepEqual(Object.keys(value ?? {}), ['__proto__']);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  }
});

test('a broken document has one problem, at its line, and the others are read', () => {
  const { documents, problems } = parseManifest('kind: A\n---\nkind: B\n\tname: "x\n---\nkind: C\n');
  assert.deepEqual(
    documents.map(({ value }) => value),
    [{ kind: 'A' }, { kind: 'C' }],
  );
  assert.equal(problems.length, 1);
  assert.equal(problems[0]?.line, 4);
  assert.match(problems[0]?.message ?? '', /^not YAML: /);
});

test('broken JSON has the line of the fault', () => {
  const { problems } = parseManifest('{\n  "kind": "Pod",\n  "metadata": {]\n}\n');
  assert.equal(problems[0]?.line, 3);
});

test('of values of JSON one after another the broken ones are problems, at their place, and the others are read', () => {
  const stream = '{"kind": "A"} {"kind": "B" "name"}\n{"kind": "C"}\n{"kind": "D", "metadata": {\n{"kind": "E"}\n';
  const { documents, problems } = parseManifest(stream);
  assert.deepEqual(
    documents.map(({ value }) => value),
    [{ kind: 'A' }, { kind: 'C' }],
  );
  assert.deepEqual(
    problems.map(({ line }) => line),
    [1, 4],
  );
  assert.ok((problems[0]?.column ?? 0) > 14, 'the column is that of the line, not of the value');
  const closed = parseManifest('{"kind": "A"}}\n{"kind": "B"}\n{"kind": "C"}\n');
  assert.deepEqual(
    closed.documents.map(({ value }) => value),
    [{ kind: 'A' }, { kind: 'C' }],
  );
  assert.deepEqual(
    closed.problems.map(({ line, column }) => [line, column]),
    [[1, 14]],
  );
});

test('reports a string, a number or a list of them, which is not a manifest', () => {
  for (const text of ['hello\n', '42', '"a"', '- one\n- two\n', '[1, 2]', '# Title\n\nSome prose,\nand more.\n']) {
    const { documents, problems } = parseManifest(text);
    assert.deepEqual(documents, [], text);
    assert.equal(problems.length, 1, text);
    assert.match(problems[0]?.message ?? '', /^not a manifest: a manifest is a mapping with kind/);
  }
  assert.deepEqual(values('kind: A\n---\nNothing else.\n'), [{ kind: 'A' }]);
  assert.deepEqual(parseManifest('[]').problems, []);
});

for (const [what, template] of [
  ['a value', 'kind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-app\n'],
  ['a value that happens to be YAML', 'kind: Deployment\nmetadata:\n  name: {{ name }}\n'],
  ['an action on a line of its own', 'kind: Deployment\nmetadata:\n  {{- include "labels" . | nindent 4 }}\n'],
]) {
  test(`an unrendered template (${what}) is called by its name, with the way out`, () => {
    const { documents, problems } = parseManifest(`kind: A\n---\n# {{ in a comment }}\n${template}`);
    assert.equal(documents.length, 1);
    assert.deepEqual(
      problems.map(({ line }) => line),
      [6],
    );
    assert.match(problems[0]?.message ?? '', /template.*helm template/);
  });
}

test('a duplicate key is a problem, not a silent choice', () => {
  const { problems } = parseManifest('kind: A\nkind: B\n');
  assert.equal(problems[0]?.line, 2);
});

/** The value as YAML. `<<` is quoted where it is a key: the library writes YAML 1.2, in which a plain one merges nothing. */
function asYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Pair(_, { key }) {
      if (key instanceof Scalar && key.value === '<<') key.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString();
}

test('whatever values are written, as YAML or as JSON, are read back', () => {
  const keys = fc.oneof(
    { weight: 20, arbitrary: fc.string() },
    fc.constantFrom('<<', '__proto__', '? ', '=', '~', 'y'),
  );
  const objects = fc.array(fc.dictionary(keys, fc.jsonValue()), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(objects, (written) => {
      const plain: unknown = JSON.parse(JSON.stringify(written));
      assert.deepEqual(values(written.map((value) => JSON.stringify(value)).join('\n')), plain);
      // YAML can say -0, which JSON.stringify turns into 0.
      const yaml = values(written.map((value) => `---\n${asYaml(value)}`).join(''));
      assert.deepEqual(JSON.parse(JSON.stringify(yaml)), plain);
    }),
    { numRuns: 200 },
  );
});

test('no text makes it throw', () => {
  const pieces = fc.constantFrom(
    '---',
    '\n',
    '{{',
    '}}',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    ': ',
    '- ',
    'a',
    '&a',
    '*a',
    '#',
    '\t',
    '|',
    '\\',
    '%',
    '<<',
    '!!x',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const { problems } = parseManifest(parts.join(''));
      for (const { line } of problems) assert.ok(line >= 1 && line <= parts.length + 1);
    }),
    { numRuns: 2000 },
  );
});
