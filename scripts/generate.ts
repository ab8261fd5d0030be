import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { readShipped } from '../src/rules/shipped.ts';
import { imagesPage } from './images-page.ts';
import { valuesSchema } from './values-schema.ts';
import { readValues, valuesTables } from './values-table.ts';

// `npm run generate` writes the files that are generated from others; with --check it writes nothing, and fails if one is stale.

const chart = join(import.meta.dirname, '..', 'chart');
const docs = join(import.meta.dirname, '..', 'docs');

/** One file that is generated from others. */
interface Generated {
  readonly path: string;
  readonly text: string;
}

/** Returns the generated files' contents. Fails where values.yaml and the schema don't name the same values. */
async function generate(): Promise<readonly Generated[]> {
  const schema = valuesSchema();
  const values = readValues(await readFile(join(chart, 'values.yaml'), 'utf8'), schema);
  const readme = join(chart, 'README.md');
  const made = [
    { path: join(chart, 'values.schema.json'), text: JSON.stringify(schema) },
    { path: join(docs, 'images.md'), text: imagesPage(readShipped()) },
    { path: readme, text: replaceTable(await readFile(readme, 'utf8'), valuesTables(values)) },
  ];
  return Promise.all(made.map(async ({ path, text }) => ({ path, text: await prettily(path, text) })));
}

/** Returns the stale files, by path. */
async function stale(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { path, text } of await generate()) {
    if (text !== (await readFile(path, 'utf8').catch(() => ''))) found.push(path);
  }
  return found;
}

const BEGIN = '<!-- values: made from values.yaml by `npm run generate` -->';
const END = '<!-- end of values -->';

function replaceTable(readme: string, table: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`chart/README.md lacks the lines ${BEGIN} and ${END}`);
  return `${readme.slice(0, begin)}${BEGIN}\n\n${table}\n\n${readme.slice(end)}`;
}

/** A wide table's cells would be padded to megabytes, so the page of images stays as it is made. */
async function prettily(filepath: string, text: string): Promise<string> {
  return filepath.endsWith('images.md') ? text : format(text, { filepath, printWidth: 120, singleQuote: true });
}

if (process.argv.includes('--check')) {
  const paths = await stale();
  for (const path of paths) console.error(`${path} is stale: run \`npm run generate\``);
  process.exitCode = paths.length === 0 ? 0 : 1;
} else {
  for (const { path, text } of await generate()) await writeFile(path, text);
}
