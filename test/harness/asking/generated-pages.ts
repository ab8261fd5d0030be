import type { Format } from '../../../src/core/exposition/page-judge.ts';

/** A source of numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export type Random = () => number;

/** Returns the source for a seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Pages that look like metrics: most lines are valid, and about every second page has something that is wrong or rare. */
export function generatePage(random: Random, format: Format): Uint8Array {
  const lines: string[] = [];
  const count = Math.floor(random() * 6);
  for (let index = 0; index < count; index++) lines.push(line(random, format, random() < 0.25));
  if (format === 'openmetrics' && random() < 0.85)
    lines.push(pick(random, ['# EOF\n', '# EOF\n', '# EOF', '# EOF\n\n', '# EOF \n', '# EO\n']));
  let bytes = Uint8Array.from(Buffer.from(lines.join(''), 'utf8'));
  if (random() < 0.15 && bytes.length > 0) bytes = mutate(random, bytes);
  if (random() < 0.1) bytes = bytes.slice(0, Math.floor(random() * bytes.length));
  return bytes;
}

const NAMES = ['a', 'http_requests_total', 'go_goroutines', 'x:y:z', '_', ':a', 'temp_seconds', 'le_bucket'];
const ODD_NAMES = ['1a', 'a-b', 'é', 'a b', '', 'a"', '-', '{', 'a.b', '\u0000'];
const LABELS = ['a', 'le', 'quantile', 'instance', '_x', 'code', '__name__'];
const ODD_LABELS = ['1', 'a:b', '', 'ä', '"q"', '"a b"', '""', '"a\\"b"', '"a\nb"', '"a\\n"', '"\\', '"é"'];
const VALUES = ['""', '"x"', '"200"', '"é"', '"a\\nb"', '"a\\"b"', '"a\\\\"', '"{}"', '"a,b"', '" "'];
const ODD_VALUES = ['x', '"', '"a\nb"', '"\\', '"a\\\nb"', "'a'", '"a\u0000b"', '\u0000"a"', '', '"a""'];
const NUMBERS = ['0', '1', '-1.5', '+3', '1e3', '1E-5', 'NaN', '+Inf', '-Inf', 'Inf', '.5', '5.', '1e+09'];
const ODD_NUMBERS = [
  '1e999',
  '-1e999',
  '0x1p3',
  '0x1',
  '1_000',
  'nan',
  'inf',
  'INFINITY',
  '+NaN',
  '-nan',
  '1e',
  '.',
  'e5',
  'x',
  '1,5',
  '',
  '1e-999',
  '179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880',
  '1\r',
  '1"',
  '1{',
  '1\u0000',
  '--1',
  '+-1',
  '1e5.5',
  '٣',
];
const TIMES = ['1395066363000', '0', '9223372036854775807', '0009223372036854775807', '1'];
const ODD_TIMES = ['9223372036854775808', '-5', '1.5', 'x', '1e3', 'NaN', 'Inf', '1 2', '99999999999999999999999'];
const TYPES = ['counter', 'gauge', 'histogram', 'summary'];
const ODD_TYPES = [
  'untyped',
  'unknown',
  'info',
  'stateset',
  'gaugehistogram',
  'Counter',
  'counter ',
  ' counter',
  'counter\r',
  '',
  'x',
  '-counter',
];
const COMMENTS = [
  '#\n',
  '# \n',
  '# a comment\n',
  '#HELP a b\n',
  '# HELP\n',
  '# HELP \n',
  '# TYPE\n',
  '# HELPa b\n',
  '#\u0000\n',
  '# \u0000\n',
  '# H\u0000ELP a b\n',
  '#\ta\n',
  '# EOF\n',
  '\n',
  ' \n',
  '\t\n',
  '  # x\n',
];

function line(random: Random, format: Format, odd: boolean): string {
  const end = odd && random() < 0.1 ? pick(random, ['', '\r\n', ' \n', '\n\n', '\u0000\n', '\u0000']) : '\n';
  const chance = random();
  if (chance < 0.15)
    return `# ${pick(random, ['HELP', 'HELP', 'UNIT'])}${blank(random, odd)}${name(random, odd)}${blank(random, odd)}${pick(random, ['Help.', 'seconds', 'H é', '', 'a\\nb', 'a\u0000b', 'x'])}${end}`;
  if (chance < 0.35)
    return `# TYPE${blank(random, odd)}${name(random, odd)}${blank(random, odd)}${rare(random, odd, TYPES, ODD_TYPES)}${end}`;
  if (chance < 0.45 && odd) return pick(random, COMMENTS);
  return sample(random, format, odd) + end;
}

function sample(random: Random, format: Format, odd: boolean): string {
  const labels: string[] = [];
  const gap = (): string => (odd && random() < 0.1 ? pick(random, [' ', '\t', '  ']) : '');
  const quotedName = odd && random() < 0.2;
  if (quotedName) labels.push(pick(random, ['"a b"', '"é"', '""', '"a"', '"a\\"']));
  for (let count = Math.floor(random() * 3); count > 0; count--)
    labels.push(`${rare(random, odd, LABELS, ODD_LABELS)}${gap()}=${gap()}${rare(random, odd, VALUES, ODD_VALUES)}`);
  const separator = odd && random() < 0.1 ? pick(random, ['', ' ', ',,', ', ', ' ,']) : ',';
  const tail = random() < 0.1 ? ',' : '';
  const braces = labels.length > 0 || random() < 0.1 ? `{${gap()}${labels.join(separator)}${tail}${gap()}}` : '';
  const head = quotedName && random() < 0.9 ? '' : name(random, odd) + gap();
  const time = random() < 0.2 ? blank(random, odd) + rare(random, odd, TIMES, ODD_TIMES) : '';
  const exemplar =
    format === 'openmetrics' && random() < 0.2
      ? ` # {${pick(random, ['', 'a="b"', 'a="b",c="d"', '"q"="x"', '"q"', 'a="b",', 'a= "b"', 'a="é"'])}} ${rare(random, odd, NUMBERS, ODD_NUMBERS)}${pick(random, ['', '', ' 1.5', ' x', ' NaN', ' '])}`
      : '';
  return `${gap()}${head}${braces}${blank(random, odd)}${rare(random, odd, NUMBERS, ODD_NUMBERS)}${time}${exemplar}`;
}

function name(random: Random, odd: boolean): string {
  return rare(random, odd, NAMES, random() < 0.5 ? ODD_NAMES : ['"a"', '"a b"', '"a\nb"', '"é"', '"']);
}

function blank(random: Random, odd: boolean): string {
  return odd && random() < 0.15 ? pick(random, ['', '  ', '\t', ' \t ', '\u0000']) : ' ';
}

function rare(random: Random, odd: boolean, usual: readonly string[], other: readonly string[]): string {
  return pick(random, odd && random() < 0.25 ? other : usual);
}

function pick(random: Random, from: readonly string[]): string {
  return from[Math.floor(random() * from.length)] ?? '';
}

/** Changes, inserts or removes a few bytes. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const changed = [...bytes];
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
    const at = Math.floor(random() * changed.length);
    const byte =
      random() < 0.5
        ? Math.floor(random() * 256)
        : pick(random, ['"', '\\', '{', '}', '=', ',', ' ', '\n', '#', '\u0000']).charCodeAt(0);
    if (random() < 0.5) changed[at] = byte;
    else changed.splice(at, random() < 0.5 ? 0 : 1, byte);
  }
  return Uint8Array.from(changed);
}
