// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';

const RUN = new URL('../../harness/unit/run.ts', import.meta.url).pathname;

/** Runs `npm test` with the arguments, as nobody's subprocess. */
function npmTest(...args: readonly string[]) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawnSync(process.execPath, [RUN, '--test-reporter=tap', ...args], { env, encoding: 'utf8' });
}

/** Writes test files into a folder, each with a test of its name at the end, and returns the folder. */
async function filesOf(t: { after: (cleanup: () => unknown) => void }, files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder(t);
  for (const [name, code] of Object.entries(files)) {
    const text = `${code}\nimport { test } from 'node:test';\nimport { createServer } from 'node:net';\ntest('${name} ends', () => {});\n`;
    await writeFile(join(folder, `${name}.test.ts`), text);
  }
  return folder;
}

/** Returns the names of tests and suites with this result, files without their folder. */
function named(result: 'ok' | 'not ok', stdout: string): string[] {
  return [...stdout.matchAll(/^ *(not ok|ok) \d+ - (?:\/.*\/)?(.*)$/gm)].flatMap(([, found, name = '']) =>
    found === result ? [name] : [],
  );
}

test('a file that would end the shared process, or leaves something open in it, fails; the others run', async (t) => {
  const folder = await filesOf(t, {
    'a-good': '',
    'b-exit': `test('b-exit exits', () => process.exit(0));`,
    'c-exit-at-load': 'process.exit(0);',
    'd-leak': `test('d-leak leaks', () => void createServer().listen(0));`,
    'e-throw-at-load': `throw new Error('at load');`,
    'f-fail': `test('f-fail fails', () => assert.fail());\nimport assert from 'node:assert';`,
    'g-alone': '// A process of its own: it may.\nsetTimeout(() => process.exit(), 100);',
    'h-good': '',
  });
  const { status, stdout } = npmTest(folder);
  assert.equal(status, 1);
  const failed = [
    'b-exit exits',
    'b-exit.test.ts',
    'c-exit-at-load.test.ts',
    'd-leak.test.ts',
    'e-throw-at-load.test.ts',
  ];
  assert.deepEqual(named('not ok', stdout), [...failed, 'f-fail fails', 'f-fail.test.ts']);
  const ended = ['a-good', 'b-exit', 'd-leak', 'f-fail', 'g-alone', 'h-good'].map((name) => `${name} ends`);
  assert.deepEqual(
    named('ok', stdout)
      .filter((name) => name.endsWith(' ends'))
      .toSorted(),
    ended,
  );
  assert.match(stdout, /d-leak\.test\.ts leaves TCPServerWrap open: close it/);
});

test('an error that comes after its test has ended fails the run', async (t) => {
  const folder = await filesOf(t, {
    late: `test('late', () => void setTimeout(() => { throw new Error('too late'); }));`,
  });
  const { status, stdout } = npmTest(folder);
  assert.equal(status, 1);
  assert.match(stdout, /too late/);
});

test('npm test runs the files that are named, and takes flags of node --test; a name without files is a usage error', async (t) => {
  const open = `import { after } from 'node:test';\nconst server = createServer().listen(0);\nafter(() => server.close());`;
  const folder = await filesOf(t, {
    one: open,
    two: '',
    three: '',
    alone: `// A process of its own: it may.\n${open}`,
  });
  const files = ['one.test.ts', 'alone.test.ts', 'tw*.test.ts'].map((name) => join(folder, name));
  const chosen = npmTest(...files, '--test-name-pattern=two');
  assert.equal(chosen.status, 0);
  assert.deepEqual(
    named('ok', chosen.stdout).filter((name) => name.endsWith(' ends')),
    ['two ends'],
  );
  const wrong = npmTest('no-such-file');
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /^no such test file: no-such-file\nusage: npm test/);
});
