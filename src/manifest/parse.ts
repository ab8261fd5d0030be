import { LineCounter, parseAllDocuments } from 'yaml';
import { isObject } from '../core/json.ts';
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
  return readJson([{ text: content, line: 1, column: 1 }]) ?? together(splitYaml(content).map(readPart));
}

/** The values of texts that are all JSON, or undefined. JSON is YAML, too, and read as such takes a hundred times as long. */
function readJson(parts: readonly Part[]): Manifest | undefined {
  try {
    const values = parts.map(({ text }): unknown => JSON.parse(text));
    return values.every(isManifest) ? { values, problems: [] } : undefined;
  } catch {
    return undefined;
  }
}

/** What can be read of a document: where it is values of JSON one after another, each is read on its own. */
function readPart(part: Part): Manifest {
  if (!/^\s*[[{]/.test(part.text)) return readYaml(part);
  const parts = splitJson(part);
  const json = readJson(parts);
  if (json !== undefined) return json;
  // What is no JSON may still be YAML in flow style, and where it is not, YAML's errors have lines.
  const yaml = readYaml(part);
  if (yaml.problems.length === 0) return yaml;
  const read = parts.map((value) => readJson([value]));
  if (read.every((value) => value === undefined)) return yaml;
  return together(parts.map((value, i) => read[i] ?? readYaml(value)));
}

function together(manifests: readonly Manifest[]): Manifest {
  return {
    values: manifests.flatMap(({ values }) => values),
    problems: manifests.flatMap(({ problems }) => problems),
  };
}

function readYaml({ text, line: firstLine, column: firstColumn }: Part): Manifest {
  const lines = new LineCounter();
  // Merge keys are YAML 1.1, which Kubernetes still reads. Keys that aren't strings are not: in `{{ .Values.name }}`, which
  // is a map with a map for a key, they show an unrendered template.
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true, stringKeys: true });
  const problem = (offset: number, message: string): Manifest => {
    const { line, col } = lines.linePos(offset);
    const before = line > 1 ? 0 : firstColumn - 1;
    const at = { line: firstLine + Math.max(line, 1) - 1, column: before + Math.max(col, 1) };
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
  return together(
    documents.map((document) => {
      try {
        const value: unknown = document.toJS({ maxAliasCount: 100 });
        // A comment alone, or `---` twice in a row, is a document that holds null.
        if (value === null) return { values: [], problems: [] };
        if (isManifest(value)) return { values: [value], problems: [] };
        return problem(
          document.contents?.range?.[0] ?? 0,
          'no manifest: that is a mapping with kind, metadata and spec, or a list of such',
        );
      } catch (error) {
        return problem(0, `not YAML: ${lowerFirst(error instanceof Error ? error.message : 'it cannot be read')}`);
      }
    }),
  );
}

/** Whether a value is a mapping or a list, and not the text or the number as which YAML reads most of what is no manifest. */
function isManifest(value: unknown): boolean {
  // A Markdown list is a list of texts.
  return isObject(value) || (Array.isArray(value) && value.every((item) => typeof item === 'object'));
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
