import { LineCounter, parseDocument } from 'yaml';
import type { $ZodIssue } from 'zod/v4/core';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';

/** A rules file that is YAML: what it holds, and where. */
export interface RulesDocument {
  /** Null for an empty file. */
  readonly content: unknown;
  /** Returns the problem with the line and column of what stands at the path. */
  readonly at: (path: readonly PropertyKey[], message: string) => Problem;
}

const MULTIPLE = 'a second document begins here: a rules file is one, so remove this "---", or make two files of it';

/** Returns the content of a rules file, or why it is no YAML. JSON is YAML. */
export function readDocument(text: string): RulesDocument | readonly Problem[] {
  const lines = new LineCounter();
  // Duplicate keys are errors: what stands in the file is what counts.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return document.errors.map(({ pos, code, message: inYaml }) => {
      const { line, col } = lines.linePos(pos[0]);
      // What the parser says of this one is for whoever writes a program.
      const message = code === 'MULTIPLE_DOCS' ? MULTIPLE : `not YAML: ${inYaml}`;
      return { line: Math.max(line, 1), column: Math.max(col, 1), path: '', message };
    });
  }
  try {
    // Aliases that expand to more are a bomb, not a rules file.
    const content: unknown = document.toJS({ maxAliasCount: 100 });
    return { content, at: (path, message) => problemAt(document, lines, path, message) };
  } catch (error) {
    const message = error instanceof Error ? error.message : 'it cannot be read';
    return [{ line: 1, column: 1, path: '', message: `not YAML: ${message}` }];
  }
}

/** Returns what the schema finds wrong, each unknown field at its own line. */
export function schemaProblems(issues: readonly $ZodIssue[], at: RulesDocument['at']): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [at(issue.path, issue.message.replace(/^Invalid input: /, ''))];
    const [first = '', ...others] = issue.message.split('; unknown field');
    return [first, ...others.map((rest) => `unknown field${rest}`)].map((message, i) =>
      at([...issue.path, issue.keys[i] ?? ''], message),
    );
  });
}
