import type { Format } from './page-judge.ts';

// Prometheus 3 chooses its parser by the Content-Type alone, and a scrape fails where it names none
// (prometheus/model/textparse/ interface.go, extractMediaType), unless the job has
// fallback_scrape_protocol. It reads the header with Go's mime.ParseMediaType: a parameter without
// a value, two media types in one header, or one parameter with two values make it unreadable.

/** How Prometheus reads a Content-Type header. */
export type MediaType =
  | { readonly kind: 'blank' | 'unreadable' }
  /**
   * `name` is lower case. `format` is undefined where Prometheus has no parser that we asked for.
   */
  | { readonly kind: 'read'; readonly name: string; readonly version: string; readonly format: Format | undefined };

/** Returns how Prometheus reads the header's value; undefined means an absent header. */
export function readMediaType(header: string | undefined): MediaType {
  if (header === undefined || header === '') return { kind: 'blank' };
  const semicolon = header.indexOf(';');
  const base = semicolon < 0 ? header : header.slice(0, semicolon);
  const name = trim(base).toLowerCase();
  if (!NAME.test(name)) return { kind: 'unreadable' };
  const parameters = readParameters(header.slice(base.length));
  if (parameters === undefined) return { kind: 'unreadable' };
  const version = parameters.get('version') ?? '';
  return { kind: 'read', name, version, format: formatOf(name, version) };
}

/** RFC 9110, 5.6.2. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z{}-]+";
const NAME = new RegExp(`^${TOKEN}(?:/${TOKEN})?$`);
const PARAMETER = new RegExp(`^;[\\t-\\r ]*(${TOKEN})[\\t-\\r ]*=[\\t-\\r ]*(?:(${TOKEN})|("))`);

function formatOf(name: string, version: string): Format | undefined {
  if (name === 'text/plain') return 'text';
  // 2.0.0 has a parser of its own, behind a feature flag.
  return name === 'application/openmetrics-text' && version !== '2.0.0' ? 'openmetrics' : undefined;
}

function readParameters(text: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  let rest = trim(text);
  while (rest !== '') {
    const found = PARAMETER.exec(rest);
    // A semicolon at the end is valid.
    if (found === null) return rest === ';' ? parameters : undefined;
    const [all, name = '', token] = found;
    let value = token ?? '';
    let end = all.length;
    if (token === undefined) {
      const quoted = readQuoted(rest, end);
      if (quoted === undefined) return undefined;
      value = quoted.value;
      end = quoted.end;
    }
    const key = name.toLowerCase();
    if ((parameters.get(key) ?? value) !== value) return undefined;
    parameters.set(key, value);
    rest = trimStart(rest.slice(end));
  }
  return parameters;
}

/** Reads a quoted string whose opening quote is before `start`. */
function readQuoted(text: string, start: number): { value: string; end: number } | undefined {
  let value = '';
  for (let at = start; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') return { value, end: at + 1 };
    if (character === '\r' || character === '\n') return undefined;
    // Only necessary escapes are unescaped: Go reads any other backslash as itself.
    if (character === '\\' && SPECIAL.includes(text.charAt(at + 1)) && at + 1 < text.length) at++;
    value += text.charAt(at);
  }
  return undefined;
}

const SPECIAL = '()<>@,;:\\"/[]?=';

// No regular expression: a search for blanks before the end takes quadratic time on a run of
// blanks.

function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isBlank(text.charCodeAt(start))) start++;
  return text.slice(start);
}

function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
