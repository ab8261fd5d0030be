import { DIALECTS } from '../annotations/dialects/dialects.ts';
import { sanitised } from '../annotations/scrape-keys.ts';
import { MAX_INSTRUCTIONS, MAX_RULES_FILE } from '../limits.ts';
import { compile } from './compile.ts';
import { member } from '../json.ts';
import type { Problem } from '../problem.ts';
import type { Result } from '../result.ts';
import type { Rules } from './rule.ts';
import { programSize } from './program-size.ts';
import { readDocument, schemaProblems } from './document.ts';
import type { RulesDocument } from './document.ts';
import { RulesFile } from './schema.ts';
import { didYouMean } from '../did-you-mean.ts';

export { renderProblems } from '../problem.ts';
export type { Problem } from '../problem.ts';
export type { Rules } from './rule.ts';

/** The shipped data after validation: read it once and pass it to every {@link parseRules}. */
export interface Shipped {
  /** The shipped rules, and the names of injected containers. */
  readonly defaults: RulesFile;
  /** The catalogue of images. */
  readonly images: RulesFile['images'];
}

/**
 * Returns the shipped data from the contents of default.yaml and images.yaml. Throws where they are
 * invalid, which is a bug.
 */
export function checkShipped(defaults: unknown, images: unknown): Shipped {
  return { defaults: RulesFile.parse(defaults), images: RulesFile.parse(images).images };
}

/** A valid rules file. */
export interface ParsedRules {
  readonly rules: Rules;
  /**
   * Rules that replace a shipped rule of the same name without disabling it. `check` reports them
   * as errors. They must not stop a program, because an upgrade may bring a shipped rule of that
   * name.
   */
  readonly warnings: readonly Problem[];
}

/**
 * Returns the compiled rules of a rules file (YAML or JSON), followed by the shipped ones unless it
 * says `extends: none`; or all problems of the file, in its order. An empty file means the
 * defaults.
 */
export function parseRules(text: string, shipped: Shipped): Result<ParsedRules, readonly Problem[]> {
  if (text.length > MAX_RULES_FILE)
    return { ok: false, error: [{ line: 1, column: 1, path: '', message: tooLong(text) }] };
  const read = readDocument(text);
  if (!read.ok) return read;
  const document = read.value;
  const manifest = manifestInstead(document);
  if (manifest !== undefined) return { ok: false, error: [manifest] };
  const tooLarge = patternsTooLarge(document);
  if (tooLarge !== undefined) return { ok: false, error: [tooLarge] };
  const parsed = RulesFile.safeParse(document.content ?? {});
  const warnings = inOrder(replacements(document, shipped.defaults));
  const errors = [
    ...(parsed.success
      ? [...tooLongToNumber(parsed.data, document), ...keysOfDialects(parsed.data, document)]
      : schemaProblems(parsed.error.issues, document.at)),
    ...namesTwice(document),
    ...unknownNames(document, shipped.defaults),
  ];
  if (!parsed.success || errors.length > 0) return { ok: false, error: inOrder([...errors, ...warnings]) };
  return { ok: true, value: { rules: compile(effectiveFile(parsed.data, shipped)), warnings } };
}

function tooLong({ length }: string): string {
  return (
    `the file has ${Math.ceil(length / 1024)} KiB, and more than ${MAX_RULES_FILE / 1024} KiB may need more memory than the webhook has: ` +
    'combine patterns, or remove rules'
  );
}

/**
 * Returns the one problem of a file that is a Kubernetes object, such as the ConfigMap that holds the
 * rules: to list every field of it as unknown would say nothing.
 */
function manifestInstead({ content, at }: RulesDocument): Problem | undefined {
  const kind = member(content, 'kind');
  if (typeof kind !== 'string' || typeof member(content, 'apiVersion') !== 'string') return undefined;
  const object = `this is a Kubernetes object (${kind}), not a rules file`;
  if (kind !== 'ConfigMap') return at(['kind'], `${object}: \`autoscrape explain -f FILE\` reads manifests`);
  const [name, namespace] = ['name', 'namespace'].map((key) => member(member(content, 'metadata'), key));
  const data = member(content, 'data');
  const keys = typeof data === 'object' && data !== null ? Object.keys(data) : [];
  const key = keys.find((one) => one === 'rules.yaml') ?? keys[0] ?? 'rules.yaml';
  const place = `${typeof name === 'string' ? name : 'NAME'}${typeof namespace === 'string' ? ` -n ${namespace}` : ''}`;
  const path = `'{.data.${key.replaceAll('.', String.raw`\.`)}}'`;
  return at(
    ['kind'],
    `${object}, which may be in its data: kubectl get configmap ${place} -o jsonpath=${path} | autoscrape check -`,
  );
}

/**
 * Returns a problem at the largest pattern where all patterns together compile to more than
 * {@link MAX_INSTRUCTIONS}. Call it before the schema, which compiles each of them. Every string
 * counts, because the patterns among them cannot be forgotten then.
 */
function patternsTooLarge({ content, at }: RulesDocument): Problem | undefined {
  const counted = new Set<unknown>();
  let sum = 0;
  let largest = { size: 0, path: [] as readonly PropertyKey[] };
  const count = (value: unknown, path: readonly PropertyKey[]): void => {
    if (counted.has(value)) return;
    counted.add(value);
    if (typeof value === 'string') {
      const size = programSize(value);
      sum += size;
      if (size > largest.size) largest = { size, path };
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value))
        count(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    }
  };
  count(content, []);
  if (sum <= MAX_INSTRUCTIONS) return undefined;
  return at(
    largest.path,
    `the file's patterns compile to about ${sum} instructions, ${largest.size} of them for this one, and more than ${MAX_INSTRUCTIONS} ` +
      'may need more memory than the webhook has: shorten or combine patterns, such as x{0,20} instead of x{0,1000}',
  );
}

/** Characters that Kubernetes allows in a key behind its "/". */
const LONGEST_NAME = 63;

/** Returns a problem for each key to which no number can be appended, where the file asks for numbered keys. */
function tooLongToNumber({ endpoints, annotations }: RulesFile, { at }: RulesDocument): Problem[] {
  if (endpoints === 'first') return [];
  const message =
    'must have at most 61 characters after the "/" with endpoints: all, which appends a number such as -2, or Kubernetes rejects every pod';
  return (['port', 'path', 'scheme'] as const).flatMap((field) => {
    const name = annotations[field].slice(annotations[field].lastIndexOf('/') + 1);
    return name.length + '-2'.length > LONGEST_NAME ? [at(['annotations', field], message)] : [];
  });
}

/** Returns a problem for each key of the annotations that a dialect of the file reads as its own. */
function keysOfDialects({ dialects, annotations }: RulesFile, { at }: RulesDocument): Problem[] {
  return Object.entries(annotations).flatMap(([field, key]) => {
    const name = dialects.find((each) =>
      DIALECTS[each].prefixes.some((prefix) => sanitised(key).startsWith(sanitised(prefix))),
    );
    const message = `"${key}" is one of the keys of ${name}, which dialects writes: choose another, or remove ${name} from dialects`;
    return name === undefined ? [] : [at(['annotations', field], message)];
  });
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/**
 * Returns the effective file: the user's rules and images, then the shipped ones that are neither
 * disabled nor replaced.
 */
function effectiveFile(file: RulesFile, { defaults, images }: Shipped): RulesFile {
  const replaced = new Set([...file.disabled, ...file.rules.map(({ name }) => name)]);
  const left = defaults.rules.filter(({ name }) => !replaced.has(name));
  return {
    ...file,
    dialects: [...new Set(file.dialects)],
    rules: file.extends === 'none' ? file.rules : [...file.rules, ...left],
    images: [...file.images, ...images],
    ignoreContainers: [...file.ignoreContainers, ...defaults.ignoreContainers],
    pathFrom: file.extends === 'none' ? file.pathFrom : [...file.pathFrom, ...defaults.pathFrom],
  };
}

// Problems with names concern several rules. They are read from the raw file, so that they are
// reported together with all other problems.

/** Returns a problem for each rule with the name of an earlier one. */
function namesTwice({ content, at }: RulesDocument): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  for (const [i, name] of ruleNames(content)) {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, i);
    else problems.push(at(['rules', i, 'name'], `rules[${first}] already has this name`));
  }
  return problems;
}

/** Returns a problem for each name under `disabled` that is not the name of a shipped rule. */
function unknownNames({ content, at }: RulesDocument, defaults: RulesFile): Problem[] {
  const shipped = defaults.rules.map((rule) => rule.name);
  return disabledNames(content).flatMap((name, i) =>
    typeof name !== 'string' || shipped.includes(name)
      ? []
      : [at(['disabled', i], `there is no shipped rule "${name}"${didYouMean(name, shipped)}`)],
  );
}

/** Returns a problem for each rule that has a shipped rule's name without disabling that one. */
function replacements({ content, at }: RulesDocument, defaults: RulesFile): Problem[] {
  if (member(content, 'extends') === 'none') return [];
  const shipped = new Set(defaults.rules.map((rule) => rule.name));
  for (const name of disabledNames(content)) if (typeof name === 'string') shipped.delete(name);
  const message = 'a shipped rule has this name: choose another, or add it to disabled to replace that rule';
  return ruleNames(content).flatMap(([i, name]) => (shipped.has(name) ? [at(['rules', i, 'name'], message)] : []));
}

function disabledNames(content: unknown): readonly unknown[] {
  return listOf(member(content, 'disabled'));
}

/** Returns the index and the name of each rule that has a name. */
function ruleNames(content: unknown): [index: number, name: string][] {
  const rules = listOf(member(content, 'rules'));
  return rules.flatMap((rule, i): [number, string][] => {
    const name = member(rule, 'name');
    return typeof name === 'string' ? [[i, name]] : [];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
