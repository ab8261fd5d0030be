import { LineCounter, parseAllDocuments } from 'yaml';
import { isObject } from '../core/json.ts';
import type { Problem } from '../core/problem.ts';
import { splitJson, splitYaml } from './split-documents.ts';
import type { Part } from './split-documents.ts';

/** A document of a file: its value of any type, and the line of the file on which that begins, from 1. */
export interface Document {
  readonly value: unknown;
  readonly line: number;
}

/** The content of a file of manifests: its documents, and the problems of those that cannot be read. */
export interface Manifest {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

/**
 * Returns the documents of a manifest: YAML or JSON, any number of each. Documents are read one by one,
 * so an invalid one does not hide the others. It is one problem: errors after the first are noise.
 */
export function parseManifest(text: string): Manifest {
  const content = text.replace(/^\uFEFF/, '');
  return readJson([{ text: content, line: 1, column: 1 }]) ?? combine(splitYaml(content).map(readPart));
}

/** Returns the values of parts that are all JSON, or undefined. JSON is also YAML, but a YAML parser takes a hundred times as long. */
function readJson(parts: readonly Part[]): Manifest | undefined {
  try {
    const documents = parts.map(({ text, line }): Document => ({
      value: JSON.parse(text),
      line: line + linesBefore(text, text.search(/\S/)),
    }));
    return documents.every(({ value }) => isManifest(value)) ? { documents, problems: [] } : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the content of a document: a sequence of JSON values is read value by value. */
function readPart(part: Part): Manifest {
  if (!/^\s*[[{]/.test(part.text)) return readYaml(part);
  const parts = splitJson(part);
  const json = readJson(parts);
  if (json !== undefined) return json;
  // It may still be YAML in flow style, and where it is not, YAML's errors have lines.
  const yaml = readYaml(part);
  if (yaml.problems.length === 0) return yaml;
  const read = parts.map((value) => readJson([value]));
  if (read.every((value) => value === undefined)) return yaml;
  return combine(parts.map((value, i) => read[i] ?? readYaml(value)));
}

function combine(manifests: readonly Manifest[]): Manifest {
  return {
    documents: manifests.flatMap(({ documents }) => documents),
    problems: manifests.flatMap(({ problems }) => problems),
  };
}

function readYaml({ text, line: firstLine, column: firstColumn }: Part): Manifest {
  const lines = new LineCounter();
  // Merge keys are YAML 1.1, which Kubernetes still reads. Keys must be strings: `{{ .Values.name }}`, an
  // unrendered template, is a map whose key is a map.
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true, stringKeys: true });
  const problem = (offset: number, message: string): Manifest => {
    const { line, col } = lines.linePos(offset);
    const before = line > 1 ? 0 : firstColumn - 1;
    const at = { line: firstLine + Math.max(line, 1) - 1, column: before + Math.max(col, 1) };
    return { documents: [], problems: [{ ...at, path: '', message }] };
  };
  const [error] = documents.flatMap((document) => document.errors);
  if (error !== undefined) {
    // Only before a line's first `#`, where comments begin.
    const template = /^[^#\n]*?(?=\{\{)/m.exec(text);
    return template === null
      ? problem(error.pos[0], `not YAML: ${lowerFirst(error.message)}`)
      : problem(
          template.index + template[0].length,
          'a template, which must be rendered first: try `helm template RELEASE CHART | autoscrape explain -f -`',
        );
  }
  return combine(
    documents.map((document) => {
      try {
        const value: unknown = document.toJS({ maxAliasCount: 100 });
        // A document with only a comment, or nothing between two `---`, is null.
        if (value === null) return { documents: [], problems: [] };
        const start = document.contents?.range?.[0] ?? 0;
        if (isManifest(value))
          return { documents: [{ value, line: firstLine + linesBefore(text, start) }], problems: [] };
        return problem(
          start,
          'not a manifest: a manifest is a mapping with kind, metadata and spec, or a list of them',
        );
      } catch (error) {
        return problem(0, `not YAML: ${lowerFirst(error instanceof Error ? error.message : 'it cannot be read')}`);
      }
    }),
  );
}

function linesBefore(text: string, offset: number): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** Returns whether a value is a mapping or a list: YAML reads most other files as a string. */
function isManifest(value: unknown): boolean {
  // A Markdown list is a list of strings.
  return isObject(value) || (Array.isArray(value) && value.every((item) => typeof item === 'object'));
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
