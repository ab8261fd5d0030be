import { Document, visit } from 'yaml';
import { escapeControls, hasControls } from '../core/control-characters.ts';

/** Returns plain data as one line of JSON, or as a YAML document, without control characters: others write the manifests. */
export function renderRecord(output: 'json' | 'yaml', record: object): string {
  if (output === 'json') return `${escapeControls(JSON.stringify(record))}\n`;
  const document = new Document(record);
  visit(document, {
    Scalar(_key, scalar) {
      // Only in double quotes can a character be escaped.
      if (typeof scalar.value === 'string' && hasControls(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return `---\n${escapeControls(document.toString())}`;
}
