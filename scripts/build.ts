import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'rolldown';
import type { OutputChunk } from 'rolldown';
import { isObject } from '../src/core/json.ts';
import { readShipped } from '../src/rules/shipped.ts';

// `npm run build`: the program as dist/main.js and one chunk for each subcommand, so that `serve` loads no Kubernetes
// client. Not minified: it gains nothing that can be measured, and stack traces stay readable.

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

await rm(dist, { recursive: true, force: true });
const { output } = await build({
  cwd: root,
  input: { main: 'src/main.ts' },
  platform: 'node',
  output: {
    dir: dist,
    format: 'esm',
    sourcemap: true,
    minify: false,
    entryFileNames: '[name].js',
    // Flat, because the program looks for its data files beside the module that reads them. Without hashes, so that
    // the same sources give the same names.
    chunkFileNames: '[name].js',
  },
});

// src/rules/shipped.ts looks for this beside itself, and in the bundle that is here: parsed and checked now, not at each start.
await writeFile(join(dist, 'shipped.json'), JSON.stringify(readShipped()));

// Outside a checkout nothing else says that these are ES modules.
await writeFile(join(dist, 'package.json'), '{ "type": "module" }\n');

const chunks = output.filter((file): file is OutputChunk => file.type === 'chunk');
refuseClientInWebhook(chunks);
for (const { fileName, code } of chunks) await writeFile(join(dist, fileName), escapeNonAscii(code));

const licences = await collectLicences(chunks.flatMap((chunk) => chunk.moduleIds));
await writeFile(join(dist, 'LICENSES.txt'), licences.text);

const size = chunks.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0);
console.error(
  `dist/: ${chunks.length} chunks, ${(size / 1e6).toFixed(1)} MB, with the code of ${licences.packages} packages (LICENSES.txt)`,
);

/**
 * Returns the code with every character beyond ASCII written as an escape. V8 keeps sources in memory, and with one such
 * character, even in a comment, it keeps the whole chunk at two bytes a character: 3 MiB for `serve`. A template that reads
 * its raw string would see the difference; none does. Lines stay where they are, so that the source maps stay valid.
 */
function escapeNonAscii(code: string): string {
  if (/String\.raw`[^`]*[\u0080-\uffff]/.test(code)) throw new Error('a raw template has a character beyond ASCII');
  return code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Throws where `serve` would load the Kubernetes client with what it imports: 340 ms and 70 MB that it does not use. */
function refuseClientInWebhook(all: readonly OutputChunk[]): void {
  const byName = new Map(all.map((chunk) => [chunk.fileName, chunk]));
  const loaded = new Set<string>();
  const load = (name: string): void => {
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const imported of byName.get(name)?.imports ?? []) load(imported);
  };
  load('main.js');
  load('serve.js');
  if (!byName.has('serve.js')) throw new Error('there is no chunk serve.js');
  for (const name of loaded) {
    const found = byName.get(name)?.moduleIds.find((id) => id.includes('/@kubernetes/client-node/'));
    if (found !== undefined) throw new Error(`serve loads ${found}, by way of the chunk ${name}`);
  }
}

interface Licences {
  readonly packages: number;
  readonly text: string;
}

/** Returns the licence texts of every package in the bundle: their licences require that copies include them. */
async function collectLicences(modules: readonly string[]): Promise<Licences> {
  const folders = new Set(modules.flatMap((id) => packageFolder(id) ?? []));
  const sections: string[] = [];
  for (const folder of [...folders].toSorted()) {
    const title = packageTitle(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
    const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).toSorted();
    const texts = await Promise.all(files.map(async (file) => (await readFile(join(folder, file), 'utf8')).trim()));
    if (texts.length === 0) texts.push('(The package ships no text of its licence.)');
    sections.push([title, ...texts].join('\n\n'));
  }
  return { packages: folders.size, text: `${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n` };
}

/** Name, version and licence, as a package.json states them. */
function packageTitle(manifest: unknown): string {
  const field = (name: string) => {
    const value = isObject(manifest) ? manifest[name] : undefined;
    return typeof value === 'string' ? value : 'not named';
  };
  return `${field('name')} ${field('version')} (${field('license')})`;
}

/** The folder of the package that a module of the bundle is from; undefined for our own and for rolldown's. */
function packageFolder(id: string): string | undefined {
  const path = relative(root, id.replace(/^\0/, '').replace(/\?.*$/, ''));
  return /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0].replace(/^/, `${root}/`);
}
