import { LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { createCatalogue } from './catalogue.ts';
import type { Catalogue, ImageEntry } from './catalogue.ts';
import type { AnnotationKeys } from './annotation-keys.ts';
import { compilePattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import { problemAt } from './problem.ts';
import type { Problem } from './problem.ts';
import { RulesFile } from './rules-file.ts';
import { requirements } from './selector.ts';
import type { LabelRequirement } from './selector.ts';
import { statementOf } from './statement.ts';
import type { Statement } from './statement.ts';
import { didYouMean } from './suggest.ts';

export { renderProblems } from './problem.ts';
export type { Problem } from './problem.ts';

/** The conditions of a rule. All that are given hold together, on one container and one port. */
export interface Conditions {
  readonly podLabels?: readonly LabelRequirement[];
  readonly container?: Pattern;
  readonly image?: Pattern;
  readonly portName?: Pattern;
  readonly portNumber?: readonly number[];
  readonly probePath?: Pattern;
  readonly argument?: Pattern;
  readonly env?: Statement;
  readonly catalogue?: true;
  readonly declared?: true;
}

/** A compiled rule. */
export interface Rule {
  readonly name: string;
  readonly when: Conditions;
  readonly unless: Conditions | undefined;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly scheme: 'http' | 'https' | undefined;
  /** The rule does not find an endpoint but says that the container has none. */
  readonly abstain: boolean;
}

/** Everything that decides, compiled: immutable, so a running decision never sees half of a reload. */
export interface Rules {
  /** In order: the user's, then the shipped ones. */
  readonly rules: readonly Rule[];
  readonly names: readonly string[];
  readonly https: boolean;
  readonly ignoreContainers: readonly Pattern[];
  readonly catalogue: Catalogue;
  readonly annotationKeys: AnnotationKeys;
  /** The effective file, for `autoscrape check --print`. */
  readonly effective: RulesFile;
}

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
 * `extends: none`; or every problem of the file at once. An empty file means the defaults.
 */
export function parseRules(text: string, shipped: Shipped): ParsedRules {
  const own = readFile(text);
  if (!own.ok) return own;
  const { defaults } = shipped;
  const problems = nameProblems(own, defaults);
  if (problems.length > 0) return { ok: false, problems };

  const { file } = own;
  const disabled = new Set(file.disabled);
  const effective: RulesFile = {
    ...file,
    rules:
      file.extends === 'none'
        ? file.rules
        : [...file.rules, ...defaults.rules.filter((rule) => !disabled.has(rule.name))],
    images: [...file.images, ...shipped.images],
    ignoreContainers: [...file.ignoreContainers, ...defaults.ignoreContainers],
  };
  return { ok: true, rules: compile(effective) };
}

interface ReadFile {
  readonly ok: true;
  readonly file: RulesFile;
  readonly document: Document;
  readonly lines: LineCounter;
}

function readFile(text: string): ReadFile | { readonly ok: false; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  // Aliases are bounded by the parser, duplicate keys are errors: what stands in the file is what counts.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, message }) => {
      const { line, col } = lines.linePos(pos[0]);
      return { line: Math.max(line, 1), column: Math.max(col, 1), path: '', message: `not YAML: ${message}` };
    });
    return { ok: false, problems };
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'it cannot be read';
    return { ok: false, problems: [{ line: 1, column: 1, path: '', message: `not YAML: ${message}` }] };
  }
  const parsed = RulesFile.safeParse(content ?? {});
  if (parsed.success) return { ok: true, file: parsed.data, document, lines };
  return {
    ok: false,
    problems: parsed.error.issues
      .flatMap((issue) =>
        // Each unknown field is a problem of its own, at its own line.
        issue.code === 'unrecognized_keys'
          ? issue.message
              .split('; unknown field')
              .map((part, i) =>
                problemAt(
                  document,
                  lines,
                  [...issue.path, issue.keys[i] ?? ''],
                  i === 0 ? part : `unknown field${part}`,
                ),
              )
          : [problemAt(document, lines, issue.path, issue.message.replace(/^Invalid input: /, ''))],
      )
      .toSorted((a, b) => a.line - b.line || a.column - b.column),
  };
}

/** What only shows across rules: one name twice, a shipped rule's name taken, a shipped rule disabled that doesn't exist. */
function nameProblems({ file, document, lines }: ReadFile, defaults: RulesFile): Problem[] {
  const shipped = defaults.rules.map((rule) => rule.name);
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  for (const [i, { name }] of file.rules.entries()) {
    const path = ['rules', i, 'name'];
    const first = seen.get(name);
    if (first !== undefined) problems.push(problemAt(document, lines, path, `rules[${first}] has this name already`));
    else if (file.extends === 'default' && shipped.includes(name) && !file.disabled.includes(name)) {
      problems.push(
        problemAt(
          document,
          lines,
          path,
          `a shipped rule has this name: choose another, or put it under disabled to replace it`,
        ),
      );
    }
    seen.set(name, first ?? i);
  }
  for (const [i, name] of file.disabled.entries()) {
    if (!shipped.includes(name))
      problems.push(
        problemAt(document, lines, ['disabled', i], `no shipped rule is called "${name}"${didYouMean(name, shipped)}`),
      );
  }
  return problems;
}

function compile(effective: RulesFile): Rules {
  const rules = effective.rules.map(({ name, when, unless, scrape, abstain }): Rule => ({
    name,
    when: compileConditions(when),
    unless: unless && compileConditions(unless),
    port: scrape?.port,
    path: scrape?.path,
    scheme: scrape?.scheme,
    abstain: abstain ?? false,
  }));
  return {
    rules,
    names: rules.map((rule) => rule.name),
    https: effective.https,
    ignoreContainers: effective.ignoreContainers.map(pattern),
    catalogue: createCatalogue(effective.images, compileImage),
    annotationKeys: effective.annotations,
    effective,
  };
}

function compileConditions(when: RulesFile['rules'][number]['when']): Conditions {
  const { podLabels, container, image, portName, portNumber, probePath, argument, env, catalogue, declared } = when;
  return {
    ...(podLabels && { podLabels: requirements(podLabels) }),
    ...(container !== undefined && { container: pattern(container) }),
    ...(image !== undefined && { image: pattern(image) }),
    ...(portName !== undefined && { portName: pattern(portName) }),
    ...(portNumber !== undefined && { portNumber: [portNumber].flat() }),
    ...(probePath !== undefined && { probePath: pattern(probePath) }),
    ...(argument !== undefined && { argument: pattern(argument) }),
    ...(env !== undefined && { env: statementOf(pattern(env)) }),
    ...(catalogue && { catalogue }),
    ...(declared && { declared }),
  };
}

function compileImage(image: RulesFile['images'][number]): ImageEntry {
  return {
    ports: [image.port].flat(),
    path: image.path ?? '/metrics',
    scheme: image.scheme ?? 'http',
    movedBy: image.movedBy ?? [],
    needs: image.needs === undefined ? undefined : statementOf(pattern(image.needs)),
    unless: image.unless === undefined ? undefined : statementOf(pattern(image.unless)),
    declared: image.declared ?? false,
    container: image.container === undefined ? undefined : pattern(image.container),
    beside: image.beside ?? [],
    portName: image.portName === undefined ? undefined : pattern(image.portName),
  };
}

/** The schema has compiled every pattern once, so here it cannot fail. */
function pattern(source: string): Pattern {
  const compiled = compilePattern(source);
  if (typeof compiled === 'string') throw new Error(`a pattern that was valid is not: ${compiled}`);
  return compiled;
}
