import { LineCounter, parseAllDocuments } from 'yaml';
import type { Problem } from '../core/problem.ts';
import { splitJson, splitYaml } from './split.ts';
import type { Part } from './split.ts';

/** What a file of manifests holds: the values that could be read, of any shape, and what is wrong with the rest. */
export interface Manifest {
  readonly values: readonly unknown[];
  readonly problems: readonly Problem[];
}

/**
 * Returns the documents of a manifest: YAML or JSON, any number of each. Documents are read one by one, so a broken one is
 * a problem (one a document: what follows from the first error is noise) and the others are there all the same.
 */
export function parseManifest(text: string): Manifest {
  const content = text.replace(/^\uFEFF/, '');
  return /^\s*[[{]/.test(content) ? parseJson(content) : parseYaml(splitYaml(content));
}

function parseJson(text: string): Manifest {
  // What is no JSON may still be YAML in flow style, and where it is not, YAML's errors have lines.
  return parseParts([{ text, line: 1 }]) ?? parseParts(splitJson(text)) ?? parseYaml(splitYaml(text));
}

function parseParts(parts: readonly Part[]): Manifest | undefined {
  try {
    return { values: parts.map(({ text }): unknown => JSON.parse(text)), problems: [] };
  } catch {
    return undefined;
  }
}

function parseYaml(parts: readonly Part[]): Manifest {
  const values: unknown[] = [];
  const problems: Problem[] = [];
  for (const part of parts) {
    const read = readPart(part);
    values.push(...read.values);
    problems.push(...read.problems);
  }
  return { values, problems };
}

function readPart({ text, line: firstLine }: Part): Manifest {
  const lines = new LineCounter();
  // Merge keys are YAML 1.1, which Kubernetes still reads. Keys that aren't strings are not: in `{{ .Values.name }}`, which
  // is a map with a map for a key, they show an unrendered template.
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true, stringKeys: true });
  const problem = (offset: number, message: string): Manifest => {
    const { line, col } = lines.linePos(offset);
    const at = { line: firstLine + Math.max(line, 1) - 1, column: Math.max(col, 1) };
    return { values: [], problems: [{ ...at, path: '', message }] };
  };
  const [error] = documents.flatMap((document) => document.errors);
  if (error !== undefined) {
    // Before a line's first `#`, after which all is comment.
    const template = /^[^#\n]*?(?=\{\{)/m.exec(text);
    return template === null
      ? problem(error.pos[0], `not YAML: ${lowerFirst(error.message)}`)
      : problem(
          template.index + template[0].length,
          'a template, which is no YAML until it is rendered: try `helm template RELEASE CHART | autoscrape explain -f -`',
        );
  }
  try {
    // A comment alone, or `---` twice in a row, is a document that holds null.
    const values = documents
      .map((document): unknown => document.toJS({ maxAliasCount: 100 }))
      .filter((value) => value !== null);
    return { values, problems: [] };
  } catch (error) {
    return problem(0, `not YAML: ${lowerFirst(error instanceof Error ? error.message : 'it cannot be read')}`);
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
