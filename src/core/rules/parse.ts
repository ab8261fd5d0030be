import { MAX_RULES_FILE } from '../limits.ts';
import { compile } from './compile.ts';
import { member } from '../json.ts';
import type { Problem } from '../problem.ts';
import type { Rules } from './rule.ts';
import { readDocument, schemaProblems } from './document.ts';
import type { RulesDocument } from './document.ts';
import { RulesFile } from './schema.ts';
import { didYouMean } from '../suggest.ts';

export { renderProblems } from '../problem.ts';
export type { Problem } from '../problem.ts';
export type { Rules } from './rule.ts';

/** The shipped data, checked: read it once and pass it to every {@link parseRules}. */
export interface Shipped {
  /** The shipped rules, and the containers that others inject. */
  readonly defaults: RulesFile;
  /** The catalogue of images. */
  readonly images: RulesFile['images'];
}

/** Returns the shipped data of the contents of default.yaml and images.yaml. A fault in them is a bug, so it throws. */
export function checkShipped(defaults: unknown, images: unknown): Shipped {
  return { defaults: RulesFile.parse(defaults), images: RulesFile.parse(images).images };
}

/** The rules, or everything that is wrong with the file. */
export type ParsedRules =
  | {
      readonly ok: true;
      readonly rules: Rules;
      /**
       * Rules that replace a shipped one of their name without saying so: a mistake to whoever writes the file, but no reason
       * for a program not to start whose newer version has come to ship that name.
       */
      readonly remarks: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Returns the compiled rules of a rules file (YAML or JSON), with the shipped ones behind them unless it says
 * `extends: none`; or every problem of the file at once, in its order. An empty file means the defaults.
 */
export function parseRules(text: string, shipped: Shipped): ParsedRules {
  if (text.length > MAX_RULES_FILE)
    return { ok: false, problems: [{ line: 1, column: 1, path: '', message: tooLong(text) }] };
  const document = readDocument(text);
  if (!('content' in document)) return { ok: false, problems: document };
  const parsed = RulesFile.safeParse(document.content ?? {});
  const remarks = inOrder(replacements(document, shipped.defaults));
  const wrong = [
    ...(parsed.success ? [] : schemaProblems(parsed.error.issues, document.at)),
    ...namesTwice(document),
    ...unknownNames(document, shipped.defaults),
  ];
  if (!parsed.success || wrong.length > 0) return { ok: false, problems: inOrder([...wrong, ...remarks]) };
  return { ok: true, rules: compile(effectiveFile(parsed.data, shipped)), remarks };
}

function tooLong({ length }: string): string {
  return (
    `the file has ${Math.ceil(length / 1024)} KiB, and more than ${MAX_RULES_FILE / 1024} KiB of rules may take more memory than ` +
    'there is: make one pattern of several, or leave rules out'
  );
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** What holds in the end: the user's rules and images first, then the shipped ones that are left on and not replaced. */
function effectiveFile(file: RulesFile, { defaults, images }: Shipped): RulesFile {
  const replaced = new Set([...file.disabled, ...file.rules.map(({ name }) => name)]);
  const left = defaults.rules.filter(({ name }) => !replaced.has(name));
  return {
    ...file,
    rules: file.extends === 'none' ? file.rules : [...file.rules, ...left],
    images: [...file.images, ...images],
    ignoreContainers: [...file.ignoreContainers, ...defaults.ignoreContainers],
    pathFrom: file.extends === 'none' ? file.pathFrom : [...file.pathFrom, ...defaults.pathFrom],
  };
}

// Names only show across rules. They are read off the file as it stands, so that what is wrong with them is told together with
// everything else that is wrong.

/** One name for two rules of the file. */
function namesTwice({ content, at }: RulesDocument): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  for (const [i, name] of ruleNames(content)) {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, i);
    else problems.push(at(['rules', i, 'name'], `rules[${first}] has this name already`));
  }
  return problems;
}

/** A shipped rule under `disabled` that is not shipped. */
function unknownNames({ content, at }: RulesDocument, defaults: RulesFile): Problem[] {
  const shipped = defaults.rules.map((rule) => rule.name);
  return disabledNames(content).flatMap((name, i) =>
    typeof name !== 'string' || shipped.includes(name)
      ? []
      : [at(['disabled', i], `no shipped rule is called "${name}"${didYouMean(name, shipped)}`)],
  );
}

/** A rule that takes a shipped rule's name without disabling that one. */
function replacements({ content, at }: RulesDocument, defaults: RulesFile): Problem[] {
  if (member(content, 'extends') === 'none') return [];
  const shipped = new Set(defaults.rules.map((rule) => rule.name));
  for (const name of disabledNames(content)) if (typeof name === 'string') shipped.delete(name);
  const message = 'a shipped rule has this name: choose another, or put it under disabled to replace it';
  return ruleNames(content).flatMap(([i, name]) => (shipped.has(name) ? [at(['rules', i, 'name'], message)] : []));
}

function disabledNames(content: unknown): readonly unknown[] {
  return listOf(member(content, 'disabled'));
}

/** The rules' places and names, where they have one. */
function ruleNames(content: unknown): [place: number, name: string][] {
  const rules = listOf(member(content, 'rules'));
  return rules.flatMap((rule, i): [number, string][] => {
    const name = member(rule, 'name');
    return typeof name === 'string' ? [[i, name]] : [];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
