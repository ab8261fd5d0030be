import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { chartImage } from '../../tools/image.ts';
import { REASONS } from '../../src/core/skip-reason.ts';
import { SUSPECTS } from '../../src/core/suspect-annotations.ts';
import { FINDINGS } from '../../src/doctor/finding.ts';
import { LIVE_POD_SKIP_REASONS } from '../../src/reconcile/plan.ts';

const root = join(import.meta.dirname, '../..');
const read = (...path: readonly string[]) => readFile(join(root, ...path), 'utf8');

suite('docs/architecture.md', () => {
  test('names every module of src', async () => {
    const words = new Set((await read('docs', 'architecture.md')).match(/[\w-]+/g));
    const files = await readdir(join(root, 'src'), { recursive: true });
    const modules = files.filter((file) => file.endsWith('.ts')).map((file) => basename(file, '.ts'));
    assert.deepEqual(
      modules.filter((module) => !words.has(module)),
      [],
    );
  });
});

suite('docs/troubleshooting.md', () => {
  test('says of every reason what to do', async () => {
    const page = await read('docs', 'troubleshooting.md');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const told = new Set(rows.flatMap((row) => row.split('|')[1]?.match(/\w+/g) ?? []));
    // Who asks there has a pod with the annotations that autoscrape wrote.
    const asked = Object.keys(REASONS).filter((reason) => reason !== 'already_injected');
    assert.deepEqual(
      asked.filter((reason) => !told.has(reason)),
      [],
    );
  });
});

suite('docs/troubleshooting.md, annotations written by hand', () => {
  test('says of every kind of suspect annotation what is probably wrong', async () => {
    const page = await read('docs', 'troubleshooting.md');
    assert.deepEqual(
      SUSPECTS.filter((kind) => !page.includes(`\n| \`${kind}\` `)),
      [],
    );
  });
});

suite('docs/troubleshooting.md, what doctor finds', () => {
  test('has a heading for every id', async () => {
    const page = await read('docs', 'troubleshooting.md');
    assert.deepEqual(page.match(/(?<=^#### `)[\w-]+(?=`$)/gm)?.toSorted(), Object.keys(FINDINGS).toSorted());
  });

  test('shows no finding that there is not', async () => {
    const page = await read('docs', 'troubleshooting.md');
    const shown = page.match(/(?<= {2}\[)[\w-]+(?=\]$)/gm) ?? [];
    assert.ok(shown.length > 15, `${shown.length} findings`);
    assert.deepEqual(
      shown.filter((id) => !(id in FINDINGS)),
      [],
    );
  });
});

suite('docs/asking.md', () => {
  test('says of every reason that asking gives what to do', async () => {
    const [, learned = ''] = (await read('docs', 'asking.md')).split('## What was learned');
    const asks = Object.keys(LIVE_POD_SKIP_REASONS).filter((reason) => /ask|service/.test(reason));
    assert.ok(asks.length >= 5);
    assert.deepEqual(
      asks.filter((reason) => !learned.includes(`\n| \`${reason}\` `)),
      [],
    );
  });
});

suite("the chart's README", () => {
  test('has no relative link, which would break on Artifact Hub', async () => {
    const links = [...(await read('chart', 'README.md')).matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
    assert.ok(links.length > 5);
    assert.deepEqual(
      links.filter((link) => !/^(https:\/\/|#)/.test(link)),
      [],
    );
  });
});

suite('the README', () => {
  test('has the image built, before the commands that need it, under the name that they pull', async () => {
    const image = await chartImage();
    const [, before = ''] = /^## Install it\n([^]*?)^```sh$/m.exec(await read('README.md')) ?? [];
    assert.ok(before.includes(`\`docker build -t ${image} .\``), before);
    assert.ok((await read('examples', 'sample.yaml')).includes(`image: ${image}\n`));
  });
});

suite('the project', () => {
  test('asks for one version of Node.js wherever it asks', async () => {
    const needed = /^>=(\d+\.\d+)$/.exec(packageJson.engines.node)?.[1] ?? 'unknown';
    assert.match(await read('scripts', 'require-node.js'), new RegExp(`needs Node ${needed} or newer`));
    assert.match(await read('README.md'), new RegExp(`Node\\.js ${needed} or later`));
  });

  test('says where it is in the chart and in the image alike', async () => {
    const chart: { home: string; sources: string[]; icon: string } = parse(await read('chart', 'Chart.yaml'));
    const dockerfile = await read('Dockerfile');
    assert.deepEqual(chart.sources, [chart.home]);
    assert.ok(dockerfile.includes(`org.opencontainers.image.source="${chart.home}"`));
    assert.ok(dockerfile.includes(`org.opencontainers.image.version="${packageJson.version}"`));
    const path = chart.icon.replace(/^https:\/\/raw\.githubusercontent\.com\/autoscrape\/autoscrape\/main\//, '');
    assert.match(await read(path), /^<svg /);
  });

  test('has no link in the chart that leads nowhere once the chart is packaged', async () => {
    const page = await read('chart', 'README.md');
    assert.deepEqual(page.match(/\]\(\.\.[^)]*\)/g), null);
  });
});
