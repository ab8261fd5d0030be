import { compile } from './compile.ts';
import { isObject, own } from './json.ts';
import type { Problem } from './problem.ts';
import type { Rules } from './rule.ts';
import { readDocument, schemaProblems } from './rules-document.ts';
import type { RulesDocument } from './rules-document.ts';
import { RulesFile } from './rules-file.ts';
import { didYouMean } from './suggest.ts';

export { renderProblems } from './problem.ts';
export type { Problem } from './problem.ts';
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
  { readonly ok: true; readonly rules: Rules } | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Returns the compiled rules of a rules file (YAML or JSON), with the shipped ones behind them unless it says
 * `extends: none`; or every problem of the file at once, in its order. An empty file means the defaults.
 */
export function parseRules(text: string, shipped: Shipped): ParsedRules {
  const document = readDocument(text);
  if (!('content' in document)) return { ok: false, problems: document };
  const parsed = RulesFile.safeParse(document.content ?? {});
  const problems = [
    ...(parsed.success ? [] : schemaProblems(parsed.error.issues, document.at)),
    ...nameProblems(document, shipped.defaults),
  ].toSorted((a, b) => a.line - b.line || a.column - b.column);
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, rules: compile(effectiveFile(parsed.data, shipped)) };
}

/** What holds in the end: the user's rules and images first, then the shipped ones that are left on. */
function effectiveFile(file: RulesFile, { defaults, images }: Shipped): RulesFile {
  const left = defaults.rules.filter(({ name }) => !file.disabled.includes(name));
  return {
    ...file,
    rules: file.extends === 'none' ? file.rules : [...file.rules, ...left],
    images: [...file.images, ...images],
    ignoreContainers: [...file.ignoreContainers, ...defaults.ignoreContainers],
    statedPaths: file.extends === 'none' ? file.statedPaths : [...file.statedPaths, ...defaults.statedPaths],
  };
}

/**
 * What only shows across rules: one name twice, a shipped rule's name taken, a shipped rule disabled that doesn't exist. Read
 * off the file as it stands, so that it is told together with everything else that is wrong.
 */
function nameProblems({ content, at }: RulesDocument, defaults: RulesFile): Problem[] {
  if (!isObject(content)) return [];
  const shipped = defaults.rules.map((rule) => rule.name);
  const disabled = listOf(own(content, 'disabled'));
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  for (const [i, rule] of listOf(own(content, 'rules')).entries()) {
    const name = isObject(rule) ? own(rule, 'name') : undefined;
    if (typeof name !== 'string') continue;
    const first = seen.get(name);
    if (first !== undefined) problems.push(at(['rules', i, 'name'], `rules[${first}] has this name already`));
    else if (own(content, 'extends') !== 'none' && shipped.includes(name) && !disabled.includes(name)) {
      const message = 'a shipped rule has this name: choose another, or put it under disabled to replace it';
      problems.push(at(['rules', i, 'name'], message));
    }
    seen.set(name, first ?? i);
  }
  for (const [i, name] of disabled.entries()) {
    if (typeof name !== 'string' || shipped.includes(name)) continue;
    problems.push(at(['disabled', i], `no shipped rule is called "${name}"${didYouMean(name, shipped)}`));
  }
  return problems;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
