import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decide } from '../core/decide.ts';
import { renderProblems } from '../core/problem.ts';
import type { Problem } from '../core/problem.ts';
import type { Result } from '../core/result.ts';
import { stripControls } from '../core/control-characters.ts';
import { differenceFrom, parseCases } from '../core/test-cases.ts';
import type { CasesFile } from '../core/test-cases.ts';
import type { Rules } from '../core/rules/rule.ts';
import { parseManifest } from '../manifest/parse.ts';
import { readWorkloads } from '../manifest/workload.ts';
import type { Workload } from '../manifest/workload.ts';
import { readErrorMessage } from '../process/file-error.ts';
import { UserError } from '../process/user-error.ts';
import { loadRules } from '../rules/load.ts';
import { Command, nonEmpty, Option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('test')
  .description('Tests rules: each case of the files names a workload, and what should be decided for it.')
  .argument('<files...>', 'files of cases')
  .addOption(new Option('--rules <file>', 'rules file, in place of those that the files name').argParser(nonEmpty))
  .addHelpText(
    'after',
    examples(
      ['As the file says which rules', 'autoscrape test rules.test.yaml'],
      ['With other rules', 'autoscrape test rules.test.yaml --rules new-rules.yaml'],
    ),
  );

/** `autoscrape test`. */
export const command = flags.action(async (files, options) => {
  process.exitCode = await test(files, options);
});

/** The options of `autoscrape test`. */
export type TestOptions = OptionsOf<typeof flags>;

/** Runs the cases of the files, and returns the exit code: 0 where each decision is as wanted, else 1. */
export async function test(files: readonly string[], { rules }: TestOptions): Promise<number> {
  let exitCode = 0;
  for (const file of files) {
    const parsed = parseCases(await read(file));
    if (!parsed.ok) {
      process.stderr.write(`${renderProblems(file, parsed.error)}\n`);
      exitCode = 1;
      continue;
    }
    const { file: content, at } = parsed.value;
    const folder = dirname(file);
    const named = content.rules === undefined ? undefined : join(folder, content.rules);
    const failed = await failedCases(content, folder, await loadRules(rules ?? named), at);
    if (failed.length > 0) {
      for (const problem of failed) process.stderr.write(`${stripControls(renderProblems(file, [problem]))}\n`);
      exitCode = 1;
    }
    const count = `${content.cases.length} case${content.cases.length === 1 ? '' : 's'}`;
    process.stdout.write(
      failed.length === 0 ? `${file}: ${count} passed.\n` : `${file}: ${failed.length} of ${count} failed.\n`,
    );
  }
  return exitCode;
}

/** Returns a problem for each case that fails, at its place in the file. */
async function failedCases(
  { cases }: CasesFile,
  folder: string,
  rules: Rules,
  at: (path: readonly PropertyKey[], message: string) => Problem,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const [i, one] of cases.entries()) {
    const workload = await workloadOf(one, folder);
    const why = workload.ok
      ? differenceFrom(
          one.want,
          decide(workload.value.pod, rules, {
            mesh: one.mesh === true,
            namespace: one.namespace ?? (workload.value.namespace || undefined),
          }),
        )
      : workload.error;
    if (why !== undefined) problems.push({ ...at(['cases', i, 'name'], `${one.name}: ${why}`), path: '' });
  }
  return problems;
}

/** Returns the one workload that a case is about, or why there is none. */
async function workloadOf(
  { manifest, workload: name }: CasesFile['cases'][number],
  folder: string,
): Promise<Result<Workload, string>> {
  let documents = [{ value: manifest as unknown, line: 1 }];
  if (typeof manifest === 'string') {
    const path = join(folder, manifest);
    const parsed = parseManifest(await read(path));
    if (parsed.problems.length > 0) return { ok: false, error: renderProblems(path, parsed.problems) };
    documents = [...parsed.documents];
  }
  const { workloads } = readWorkloads(documents);
  const wanted = workloads.filter((one) => name === undefined || one.name === name);
  const [first, second] = wanted;
  if (first !== undefined && second === undefined) return { ok: true, value: first };
  const all = workloads.map((one) => one.name).join(', ');
  if (first !== undefined)
    return { ok: false, error: `the manifest has several workloads: add \`workload\`, one of ${all}` };
  return {
    ok: false,
    error:
      name === undefined || all === '' ? 'the manifest has no workload' : `no workload is called ${name}, only ${all}`,
  };
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError(readErrorMessage(file, error), { cause: error });
  }
}
