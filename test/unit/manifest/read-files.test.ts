import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { readSources } from '../../../src/manifest/read-files.ts';
import type { Source, SourceOptions } from '../../../src/manifest/read-files.ts';

async function folder(t: TestContext, ...files: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'autoscrape-'));
  t.after(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'below'));
  for (const file of files) await writeFile(join(root, file), `# ${file}`);
  return root;
}

async function read(names: readonly string[], recursive = false, more: Partial<SourceOptions> = {}): Promise<Source[]> {
  const sources: Source[] = [];
  const options = {
    recursive,
    stdin: Readable.from(['from a pipe']),
    onPassedOver: (sentence: string) => assert.fail(sentence),
    ...more,
  };
  for await (const source of readSources(names, options)) sources.push(source);
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

test('several names with commas between them, and patterns, as kubectl reads them', async (t) => {
  const root = await folder(t, 'a.yaml', 'b.yaml', 'c.json', 'x,y[1].yaml', 'below/d.yaml');
  const given = async (...names: readonly string[]): Promise<string[]> =>
    (await read(names.map((name) => name.replaceAll('@', root)))).map(({ name }) => relative(root, name));
  assert.deepEqual(await given('@/c.json,@/a.yaml'), ['c.json', 'a.yaml']);
  assert.deepEqual(await given('@/?.yaml'), ['a.yaml', 'b.yaml']);
  assert.deepEqual(await given('@/**/[bd].yaml'), ['b.yaml', 'below/d.yaml']);
  assert.deepEqual(await given('@/x,y[1].yaml'), ['x,y[1].yaml'], 'a file that has this very name is meant');
  const [missing] = await read([join(root, '*.nothing')]);
  assert.deepEqual(missing?.content, { ok: false, error: 'no such file or folder' });
});

test('a FIFO in a folder is passed over with a sentence, and read where it is named', async (t) => {
  const root = await folder(t, 'a.yaml');
  const fifo = join(root, 'fifo.yaml');
  execFileSync('mkfifo', [fifo]);
  const sentences: string[] = [];
  const sources = await read([root], false, { onPassedOver: (sentence) => sentences.push(sentence) });
  assert.deepEqual(
    sources.map(({ name }) => name),
    [join(root, 'a.yaml')],
  );
  assert.deepEqual(sentences, [`${fifo}: passed over, because it is no file: name it to read it`]);
  const [[named]] = await Promise.all([read([fifo]), writeFile(fifo, '# from a FIFO')]);
  assert.deepEqual(named?.content, { ok: true, value: '# from a FIFO' });
});

test('a folder that must be rendered first is named, with the command to type', async (t) => {
  const root = await folder(t, 'a.yaml', 'below/kustomization.yaml', 'below/patch.yaml');
  const below = join(root, 'below');
  const base = `a Kustomize base, which must be built first: kubectl kustomize ${below} | autoscrape explain -f -`;
  assert.deepEqual((await read([below])).map(textOf), [base]);
  assert.deepEqual((await read([root], true)).map(textOf), [base, '# a.yaml']);
  await writeFile(join(root, 'Chart.yaml'), 'name: shop');
  assert.deepEqual((await read([root])).map(textOf), [
    `a Helm chart, which must be rendered first: helm template RELEASE ${root} | autoscrape explain -f -`,
  ]);
});
