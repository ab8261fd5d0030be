import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';
import { hasCode } from './error-code.ts';

/** What to build, and for whom to say how long it takes. */
export interface GoBuild {
  readonly directory: string;
  readonly what: string;
  readonly package: string;
  readonly ldflags: string;
  readonly tags: string;
  readonly minutes: number;
  readonly output: string;
}

/** Builds a static executable from a pinned Go module, and prints on stderr what it waits for. */
export async function goBuild(build: GoBuild): Promise<void> {
  await requireGo(build.directory);
  const started = performance.now();
  say(`building ${build.what} (about ${build.minutes} min, once) …`);
  const reminder = setInterval(() => say(`… still building ${build.what}, ${elapsed(started)}`), 60_000);
  try {
    const mode = ['build', '-mod=readonly', '-trimpath', '-buildvcs=false'];
    const what = ['-ldflags', build.ldflags, '-tags', build.tags, '-o', build.output, build.package];
    await command('go', [...mode, ...what], { cwd: build.directory, env: { CGO_ENABLED: '0', GOWORK: 'off' } });
  } finally {
    clearInterval(reminder);
  }
  say(`built ${build.what} in ${elapsed(started)}`);
}

/** Returns the folder of a Go module's files at a version, downloaded and verified by Go on first use. */
export async function goModuleFolder(module: string, version: string): Promise<string> {
  const json = await command('go', ['mod', 'download', '-json', `${module}@${version}`], { env: { GOWORK: 'off' } });
  const { Dir: folder }: { Dir?: string } = JSON.parse(json);
  if (folder === undefined) throw new Error(`go mod download named no folder for ${module}@${version}`);
  return folder;
}

/** Throws a sentence that says what to install when Go is missing or older than the module's go.mod asks for. */
async function requireGo(directory: string): Promise<void> {
  const needed = /^go (\S+)$/m.exec(await readFile(join(directory, 'go.mod'), 'utf8'))?.[1] ?? '1.26';
  const install = `the cluster tests build Kubernetes and its company from source: install Go ${needed} or newer and put it in PATH`;
  let output: string;
  try {
    // Asked in the module's folder, where Go may have switched itself to a newer toolchain.
    output = await command('go', ['version'], { cwd: directory });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new Error(`Go isn't there; ${install}`, { cause: error });
    throw error;
  }
  const found = /go(\d+\.\d+(\.\d+)?)/.exec(output)?.[1] ?? '0';
  if (found.localeCompare(needed, 'en', { numeric: true }) < 0) throw new Error(`Go ${found} is too old; ${install}`);
}

function elapsed(since: number): string {
  const seconds = Math.round((performance.now() - since) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
