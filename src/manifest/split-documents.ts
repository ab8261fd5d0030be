/** A part of a file that is read on its own, so that its problems do not affect the others. */
export interface Part {
  readonly text: string;
  /** The line of the file on which it begins, from 1. */
  readonly line: number;
  /** The column in that line, from 1. */
  readonly column: number;
}

/** Returns the documents of a YAML file, split at lines that begin with `---`, as kubectl does. */
export function splitYaml(text: string): Part[] {
  const starts = [0, ...[...text.matchAll(/^---(?=\s|$)/gm)].map((match) => match.index)];
  return partsAt(text, starts);
}

/**
 * Returns the values of a sequence of JSON values, as `jq` prints them and kubectl accepts them. An
 * unmatched closing bracket belongs to the next value.
 */
export function splitJson({ text, line, column }: Part): Part[] {
  const starts = [0];
  let depth = 0;
  // Strings are skipped: braces in them do not nest.
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/gs)) {
    if (token === '{' || token === '[') depth += 1;
    else if ((token === '}' || token === ']') && depth > 0) depth -= 1;
    else continue;
    if (depth === 0) starts.push(index + 1);
  }
  return partsAt(text, starts, { line, column });
}

function partsAt(text: string, starts: readonly number[], { line, column } = { line: 1, column: 1 }): Part[] {
  return starts.flatMap((start, i) => {
    const part = { text: text.slice(start, starts[i + 1]), line, column };
    const lines = part.text.split('\n');
    line += lines.length - 1;
    column = (lines.length === 1 ? column : 1) + (lines.at(-1)?.length ?? 0);
    return part.text.trim() === '' ? [] : [part];
  });
}
