import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { readSources } from '../../../src/manifest/source.ts';
import type { Source } from '../../../src/manifest/source.ts';

async function folder(t: TestContext, ...files: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'autoscrape-'));
  t.after(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'below'));
  for (const file of files) await writeFile(join(root, file), `# ${file}`);
  return root;
}

async function read(names: readonly string[], recursive = false): Promise<Source[]> {
  const sources: Source[] = [];
  for await (const source of readSources(names, { recursive, stdin: Readable.from(['from a pipe']) }))
    sources.push(source);
  return sources;
}

test("a folder gives its manifests in the order of their names, and those below it when that's asked for", async (t) => {
  const root = await folder(t, 'b.yml', 'a.yaml', 'c.json', 'notes.txt', 'below/d.yaml');
  const names = (sources: readonly Source[]): string[] => sources.map(({ name }) => relative(root, name));
  assert.deepEqual(names(await read([root])), ['a.yaml', 'b.yml', 'c.json']);
  assert.deepEqual(names(await read([root], true)), ['a.yaml', 'b.yml', 'below/d.yaml', 'c.json']);
});

test('a file may have any name, and the texts come in the order that was asked for', async (t) => {
  const root = await folder(t, 'notes.txt');
  const file = join(root, 'notes.txt');
  assert.deepEqual(await read([file, '-']), [
    { name: file, content: { ok: true, value: '# notes.txt' } },
    { name: 'standard input', content: { ok: true, value: 'from a pipe' } },
  ]);
});

function textOf({ content }: Source): string {
  return content.ok ? content.value : content.error;
}

test('names a file that cannot be read, and reads the others', async (t) => {
  const root = await folder(t, 'a.yaml');
  const [missing, empty, file] = await read([join(root, 'b.yaml'), join(root, 'below'), join(root, 'a.yaml')]);
  assert.deepEqual(missing, { name: join(root, 'b.yaml'), content: { ok: false, error: 'no such file or folder' } });
  assert.ok(empty?.content.ok === false && empty.content.error.includes('--recursive'));
  assert.equal(file?.content.ok, true);
});

test('follows links to files, but not to folders, because they may form a loop', async (t) => {
  const root = await folder(t, 'a.yaml', 'below/d.yaml');
  await symlink('.', join(root, 'circle'));
  await symlink('nowhere', join(root, 'below', 'dangling'));
  await symlink('../a.yaml', join(root, 'below', 'link.yaml'));
  const sources = await read([root], true);
  assert.deepEqual(
    sources.map((source) => [relative(root, source.name), textOf(source)]),
    [
      ['a.yaml', '# a.yaml'],
      ['below/d.yaml', '# below/d.yaml'],
      ['below/link.yaml', '# a.yaml'],
    ],
  );
});

test('describes every error of the file system, and reads the other files', async (t) => {
  const root = await folder(t, 'a.yaml');
  await symlink('self.yaml', join(root, 'self.yaml'));
  const names = [join(root, 'a.yaml', 'below'), join(root, 'x'.repeat(300)), join(root, 'self.yaml'), root];
  const faults = (await read(names)).map(textOf);
  assert.deepEqual(faults, [
    'cannot be read: not a directory (ENOTDIR)',
    'cannot be read: name too long (ENAMETOOLONG)',
    'cannot be read: too many symbolic links encountered (ELOOP)',
    '# a.yaml',
    'cannot be read: too many symbolic links encountered (ELOOP)',
  ]);
});
