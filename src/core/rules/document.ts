import { LineCounter, parseDocument } from 'yaml';
import type { $ZodIssue } from 'zod/v4/core';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { Result } from '../result.ts';

/** A rules file that is valid YAML: its content, and the positions in it. */
export interface RulesDocument {
  /** Null for an empty file. */
  readonly content: unknown;
  /** Returns the problem with the line and column of the value at the path. */
  at(this: void, path: readonly PropertyKey[], message: string): Problem;
}

const MULTIPLE =
  'a second document begins here, but a rules file is a single one: remove this "---", or split the file in two';

/**
 * Returns the content of a rules file, or the problems where it is not valid YAML. JSON is YAML.
 */
export function readDocument(text: string): Result<RulesDocument, readonly Problem[]> {
  const lines = new LineCounter();
  // Duplicate keys are errors, so that no value is silently ignored.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, code, message: inYaml }) => {
      const { line, col } = lines.linePos(pos[0]);
      // The parser's own message is for programmers.
      const message = code === 'MULTIPLE_DOCS' ? MULTIPLE : `not YAML: ${inYaml}`;
      return { line: Math.max(line, 1), column: Math.max(col, 1), path: '', message };
    });
    return { ok: false, error: problems };
  }
  try {
    // A file whose aliases expand to more is an attack ("billion laughs").
    const content: unknown = document.toJS({ maxAliasCount: 100 });
    return { ok: true, value: { content, at: (path, message) => problemAt(document, lines, path, message) } };
  } catch (error) {
    const message = error instanceof Error ? error.message : 'it cannot be read';
    return { ok: false, error: [{ line: 1, column: 1, path: '', message: `not YAML: ${message}` }] };
  }
}

/** Returns the schema's issues as problems, each unknown field at its own line. */
export function schemaProblems(issues: readonly $ZodIssue[], at: RulesDocument['at']): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [at(issue.path, issue.message.replace(/^Invalid input: /, ''))];
    const [first = '', ...others] = issue.message.split('; unknown field');
    return [first, ...others.map((rest) => `unknown field${rest}`)].map((message, i) =>
      at([...issue.path, issue.keys[i] ?? ''], message),
    );
  });
}
