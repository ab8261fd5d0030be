import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { escapeControls } from '../core/control-characters.ts';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import { effectiveRules, renderEffective } from './effective-rules.ts';
import type { Effective } from './effective-rules.ts';
import { readShipped } from '../rules/shipped.ts';
import { decode } from '../manifest/decode.ts';
import { readErrorMessage } from '../process/file-error.ts';
import { UserError } from '../process/user-error.ts';
import { loadRules } from '../rules/load.ts';
import { rulesSchema } from '../rules/json-schema.ts';
import { Command, nonEmpty, Option, several } from './options.ts';
import { readInput } from './read-input.ts';
import { compareRules, renderChanges } from './rules-diff.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('check')
  .description('Checks a rules file and lists all its errors, each with its line and what to write instead.')
  .argument('[file]', 'rules file, or - for standard input')
  .addOption(new Option('-f, --filename <file>', 'rules file, like the argument').argParser(nonEmpty))
  .addOption(new Option('--print', 'print the effective rules in their order: yours, then the shipped ones'))
  .addOption(
    new Option('--diff <old>', 'rules file in use: which of the workloads under --manifests would change').argParser(
      nonEmpty,
    ),
  )
  .addOption(
    new Option('-m, --manifests <file>', 'manifests for --diff, as explain -f takes them; repeatable').argParser(
      several,
    ),
  )
  .addOption(new Option('-R, --recursive', 'also read the folders inside a folder of --manifests'))
  .addOption(new Option('--schema', 'print the JSON Schema of a rules file, for editors'))
  .addOption(new Option('-o, --output <format>', 'text, or json: one object').choices(['text', 'json']).default('text'))
  .addHelpText(
    'after',
    examples(
      ['Is it valid?', 'autoscrape check rules.yaml'],
      ['Which rules apply, and in which order?', 'autoscrape check rules.yaml --print'],
      ['What would change?', 'autoscrape check rules.yaml --diff old.yaml -m k8s/'],
      ['A schema for the editor', 'autoscrape check --schema > rules.schema.json'],
      ['Which rules are shipped?', "echo 'extends: default' | autoscrape check - --print"],
    ),
  );

/** `autoscrape check`. */
export const command = flags.action(async (argument, options, self) => {
  const { diff, manifests, schema } = options;
  const [file, ...more] = [argument, options.filename].filter((name) => name !== undefined);
  if (schema === true) {
    process.stdout.write(`${JSON.stringify(rulesSchema(), undefined, 2)}\n`);
    return undefined;
  }
  if (file === undefined || more.length > 0) {
    return self.error('error: give one rules file: autoscrape check rules.yaml');
  }
  if ((diff === undefined) !== (manifests === undefined)) {
    return self.error(
      'error: --diff and --manifests belong together: autoscrape check new.yaml --diff old.yaml -m k8s/',
    );
  }
  process.exitCode = await check(file, options);
  return undefined;
});

/** The options of `autoscrape check`. */
export type CheckOptions = OptionsOf<typeof flags>;

/** Checks a rules file and returns the exit code: 0 where it is valid, else 1; with `--diff` 1 also where a manifest can't be read. */
export async function check(file: string, options: CheckOptions): Promise<number> {
  const { print, output, diff, manifests } = options;
  const name = nameOf(file);
  const shipped = readShipped();
  const parsed = parseRules(await read(file), shipped);
  const problems = parsed.ok ? parsed.value.warnings : parsed.error;
  if (!parsed.ok || problems.length > 0) {
    if (output === 'json') writeJson({ file: name, ok: false, problems });
    else process.stderr.write(`${renderProblems(name, problems)}\n`);
    return 1;
  }
  if (diff !== undefined && manifests !== undefined) {
    const before = await loadRules(diff);
    const input = await readInput(manifests, options.recursive === true);
    const { changes, workloads } = compareRules(input, before, parsed.value.rules);
    if (output === 'json') writeJson({ file: name, ok: true, problems: [], workloads, changes });
    else process.stdout.write(`${renderChanges(changes, workloads)}\n`);
    return input.isComplete ? 0 : 1;
  }
  const effective = effectiveRules(parsed.value.rules, shipped);
  if (output === 'json') writeJson(print ? effective.file : { file: name, ok: true, problems: [] });
  else process.stdout.write(print ? renderEffective(effective) : `${name} is valid. ${summarize(effective)}\n`);
  return 0;
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

async function read(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await (file === '-' ? buffer(process.stdin) : readFile(file));
  } catch (error) {
    throw new UserError(readErrorMessage(nameOf(file), error), { cause: error });
  }
  const decoded = decode(bytes);
  if (decoded.ok) return decoded.value;
  throw new UserError(`${nameOf(file)} is ${decoded.error}`);
}

function writeJson(value: unknown): void {
  process.stdout.write(`${escapeControls(JSON.stringify(value))}\n`);
}

function summarize({ own, shipped, file }: Effective): string {
  const https = file['https'] === true ? 'annotated too' : 'skipped';
  const { dialects } = file;
  const others =
    Array.isArray(dialects) && dialects.length > 0 ? ` Annotations for ${dialects.join(', ')} are written too.` : '';
  return `${own} of your own rules come first, then ${shipped} shipped ones; https endpoints are ${https}.${others}`;
}
