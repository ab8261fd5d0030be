import { styleText } from 'node:util';
import { stripControls } from '../core/control-characters.ts';

/** Returns the text in a style, on a terminal that has colours. Others write the manifests, so control characters are stripped. */
export function paint(style: 'bold' | 'cyan' | 'dim' | 'green' | 'yellow', text: string): string {
  return styleText(style, visible(text));
}

/** Returns the text without control characters: a name must not reach the terminal as an escape sequence. */
export function visible(text: string): string {
  return stripControls(text, '\uFFFD');
}

/** Returns the text in lines of at most so many columns, where its words allow it. The lines after the first have their own indent. */
export function wrap(text: string, columns: number, indent = '  ', hanging = indent): string[] {
  const lines: string[] = [];
  for (const word of visible(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push((lines.length === 0 ? indent : hanging) + word);
  }
  return lines;
}

/** Returns the text, cut to so many columns. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(columns - 1, 0))}…`;
}
