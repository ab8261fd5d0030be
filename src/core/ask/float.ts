// Prometheus reads values with Go's strconv.ParseFloat, less what Go 1.13 added (hexadecimal floats, underscores).
// https://pkg.go.dev/strconv#ParseFloat; prometheus/model/textparse/promparse.go, parseFloat

/** No two parts of it can match the same digits, so it takes time in proportion to the text whatever the text is. */
const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INFINITE = /^[+-]?inf(?:inity)?$/i;
const NOT_A_NUMBER = /^nan$/i;

/** Returns the number that the text is for Prometheus, or undefined where it is none. */
export function parseFloat64(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const number = Number(text);
    // Go refuses digits that are out of range: `1e999` is an error, `Inf` is not.
    return Number.isFinite(number) ? number : undefined;
  }
  if (INFINITE.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return NOT_A_NUMBER.test(text) ? Number.NaN : undefined;
}

/** Returns whether the digits are a timestamp in milliseconds that fits into 64 bits with a sign. */
export function isInt64(digits: string): boolean {
  const significant = digits.replace(/^0+/, '');
  return significant.length < MAX_INT64.length || (significant.length === MAX_INT64.length && significant <= MAX_INT64);
}

const MAX_INT64 = '9223372036854775807';
