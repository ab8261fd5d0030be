import type { Document, LineCounter } from 'yaml';
import { isMap, isNode, isScalar } from 'yaml';
import { stripControls } from './control-characters.ts';

/** One mistake in a file: its position, what is wrong, and what to do. */
export interface Problem {
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly column: number;
  /** Such as `rules[0].when.portName`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
}

/**
 * Returns one line per problem, in the form that editors and terminals link: `FILE:LINE:COLUMN:
 * path: message`.
 */
export function renderProblems(file: string, problems: readonly Problem[]): string {
  return problems
    .map(({ line, column, path, message }) =>
      stripControls(`${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`),
    )
    .join('\n');
}

/**
 * Returns the problem with the position of `path`, or of its nearest parent that the file contains.
 */
export function problemAt(
  document: Document,
  lines: LineCounter,
  path: readonly PropertyKey[],
  message: string,
): Problem {
  const offset = offsetOf(document, path);
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1), path: renderPath(path), message };
}

/**
 * Returns the offset, in characters, of the last key or item of the path. For a key it is not the
 * offset of the value, because a reader looks for the key.
 */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let offset = 0;
  for (const [depth, step] of path.entries()) {
    const parent: unknown = document.getIn(path.slice(0, depth), true);
    if (isMap(parent)) {
      const key = parent.items.find((item) => isScalar(item.key) && item.key.value === step)?.key;
      if (!isScalar(key)) return parent.range?.[0] ?? offset;
      offset = key.range?.[0] ?? offset;
    } else {
      const item: unknown = document.getIn(path.slice(0, depth + 1), true);
      if (!isNode(item)) break;
      offset = item.range?.[0] ?? offset;
    }
  }
  return offset;
}

function renderPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}
