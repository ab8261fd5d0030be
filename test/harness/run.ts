import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { componentNames, forLongTests, prebuild } from './build/components.ts';
import { imagePackages, installDebianPackages, nodePackages } from '../../tools/debian.ts';
import { onInterruption } from './process/interruption.ts';
import { AT_FULL_LENGTH } from './length.ts';

// `npm run test:cluster`: the tests on real components. Builds what they need, which takes about 25 minutes once, then runs
// them file by file, each of which starts a cluster of its own, in two lanes: they mostly wait for what they have started.

const USAGE = `usage: npm run test:cluster -- [--all] [--only NAME]… [-- FLAG…]
  --all         run the long tests at full length: 10,000 generated pods instead of 2,000, ten rolling restarts instead of three
  --only NAME   only the test file of that name, such as admission or chart/render; may be given several times
  FLAG          passed on to the test files, such as --update of consumers`;

/** Files whose cluster is a whole node: network namespaces, cgroups, mounts. A machine has room for one at a time. */
const NEED_ROOT: readonly string[] = ['installation', 'node'];

/** Files whose figures count only from a machine that does nothing else. */
const RUN_ALONE: readonly string[] = ['stress'];

/** Much longer than any file takes, usually and with `--all`: what hangs is ended, and the rest still runs. */
const MINUTES_A_FILE = { usually: 30, all: 60 };

interface TestFile {
  /** `admission` for test/cluster/admission.test.ts, `chart/render` for test/cluster/chart/render.test.ts. */
  readonly name: string;
  readonly path: string;
}

interface Result {
  readonly name: string;
  readonly passed: boolean;
  readonly tests: number;
  readonly pass: number;
  readonly fail: number;
  readonly seconds: number;
  /** What the file's tests had to say, such as how many pods went through. */
  readonly remarks: readonly string[];
}

/** What each test file is started with. */
interface FileOptions {
  /** Whether the long tests run at full length. */
  readonly all: boolean;
  /** Arguments for the file itself. */
  readonly flags: readonly string[];
}

function testFiles(): TestFile[] {
  const folder = join(import.meta.dirname, '../cluster');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .toSorted()
    .map((file) => ({ name: file.replace(/\.test\.ts$/, '').replaceAll(sep, '/'), path: join(folder, file) }));
}

/** Takes a line, without its end. */
type Print = (line: string) => void;

function show(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs one file to its end, showing what it prints as it comes, or handing it on where there is someone to take it. */
async function runFile({ name, path }: TestFile, { all, flags }: FileOptions, taker?: Print): Promise<Result> {
  const print = taker ?? show;
  print(`\n── ${name} ${'─'.repeat(Math.max(0, 76 - name.length))}`);
  const started = performance.now();
  const child = spawn(process.execPath, ['--test-reporter=spec', path, ...flags], {
    stdio: ['ignore', 'pipe', taker === undefined ? 'inherit' : 'pipe'],
    env: {
      ...process.env,
      ...(all && { [AT_FULL_LENGTH]: '1' }),
      ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
    },
  });
  const callOff = onInterruption(() => child.kill('SIGTERM'));
  const minutes = all ? MINUTES_A_FILE.all : MINUTES_A_FILE.usually;
  const limit = setTimeout(() => {
    print(`${name} has not ended after ${minutes} minutes: it is being ended`);
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
  }, minutes * 60_000);
  const counts = new Map<string, number>();
  const remarks: string[] = [];
  const read = (line: string): void => {
    print(line);
    const [, indent, remark = ''] = /^(\s*)ℹ (.*)$/.exec(stripVTControlCharacters(line)) ?? [];
    if (indent === undefined) return;
    const [, word, count] = /^(tests|pass|fail|cancelled) (\d+)$/.exec(remark) ?? [];
    if (word !== undefined) counts.set(word, Number(count));
    // What stands at the margin is Node's own summary.
    else if (indent !== '') remarks.push(remark);
  };
  if (child.stdout !== null) createInterface(child.stdout).on('line', read);
  if (child.stderr !== null) createInterface(child.stderr).on('line', print);
  await once(child, 'close');
  clearTimeout(limit);
  callOff();
  const count = (word: string): number => counts.get(word) ?? 0;
  return {
    name,
    // A file that prints no summary has crashed, and one without tests proves nothing.
    passed: child.exitCode === 0 && count('pass') > 0,
    tests: count('tests'),
    pass: count('pass'),
    fail: count('fail') + count('cancelled'),
    seconds: Math.round((performance.now() - started) / 1000),
    remarks,
  };
}

/**
 * Runs the files of each lane one after the other, and the lanes beside one another. A file's output comes as it is printed
 * where it is the only lane, and in one piece when the file ends where it would mingle with another's.
 */
async function runLanes(lanes: readonly (readonly TestFile[])[], options: FileOptions): Promise<Result[]> {
  const busy = lanes.filter((files) => files.length > 0);
  const running = new Set<string>();
  async function runLane(files: readonly TestFile[]): Promise<Result[]> {
    const results: Result[] = [];
    for (const file of files) {
      if (busy.length === 1) {
        results.push(await runFile(file, options));
        continue;
      }
      running.add(file.name);
      process.stderr.write(`… ${[...running].join(' and ')}\n`);
      const lines: string[] = [];
      // What was printed by then is worth having when all of it is interrupted.
      const callOff = onInterruption(() => lines.forEach(show));
      results.push(await runFile(file, options, (line) => lines.push(line)));
      callOff();
      running.delete(file.name);
      lines.forEach(show);
    }
    return results;
  }
  return (await Promise.all(busy.map(runLane))).flat();
}

/** The summary: a line a file, then totals as Node's own reporter writes them. */
function summarise(results: readonly Result[], leftOut: readonly TestFile[]): string {
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0);
  return [
    ...results.flatMap(({ name, passed, pass, fail, seconds, remarks }) => [
      `${passed ? '✔' : '✖'} ${name.padEnd(24)} ${String(pass).padStart(4)} passed ${String(fail).padStart(3)} failed ${String(seconds).padStart(5)} s`,
      ...remarks.map((remark) => `    ${remark}`),
    ]),
    ...leftOut.map(({ name }) => `✖ ${name.padEnd(24)} left out: it runs a whole node, which takes root on Linux`),
    `ℹ tests ${sum(({ tests }) => tests)}`,
    `ℹ pass ${sum(({ pass }) => pass)}`,
    // A file that failed without a failed test, because it crashed or was ended, counts as one.
    `ℹ fail ${sum(({ passed, fail }) => (passed ? 0 : Math.max(1, fail))) + leftOut.length}`,
    `ℹ duration_ms ${Math.round(performance.now())}`,
  ].join('\n');
}

/** What tells whether a file is one of those named. */
function isIn(names: readonly string[]): (file: TestFile) => boolean {
  return ({ name }) => names.includes(name);
}

/** The exit code: 0 when all that was asked for passed, 1 when something failed or was left out, 2 for wrong usage. */
async function main(): Promise<number> {
  let asked: { values: { all: boolean; only: string[] }; positionals: string[] };
  try {
    asked = parseArgs({
      options: { all: { type: 'boolean', default: false }, only: { type: 'string', multiple: true, default: [] } },
      allowPositionals: true,
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return 2;
  }
  const { all: atFullLength, only } = asked.values;
  if (asked.positionals.some((flag) => !flag.startsWith('-'))) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const all = testFiles();
  const unknown = only.filter((name) => !all.some((file) => file.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`no such test: ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}\n`);
    return 2;
  }
  const chosen = only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
  const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
  const leftOut = isRoot ? [] : chosen.filter(isIn(NEED_ROOT));
  const files = chosen.filter((file) => !leftOut.includes(file));
  // One file builds what it needs by itself; before all of them everything is built, so that no test's clock runs meanwhile.
  if (only.length === 0) await prebuild(componentNames.filter((name) => atFullLength || !forLongTests.includes(name)));
  if (isRoot && files.some(isIn(NEED_ROOT))) {
    await installDebianPackages([...nodePackages, ...imagePackages]);
  }
  const [alone, beside] = [files.filter(isIn(RUN_ALONE)), files.filter((file) => !isIn(RUN_ALONE)(file))];
  const lanes = [beside.filter(isIn(NEED_ROOT)), beside.filter((file) => !isIn(NEED_ROOT)(file))];
  const options = { all: atFullLength, flags: asked.positionals };
  const results = [...(await runLanes(lanes, options)), ...(await runLanes([alone], options))];
  process.stdout.write(`\n${summarise(results, leftOut)}\n`);
  return leftOut.length === 0 && results.length > 0 && results.every(({ passed }) => passed) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
