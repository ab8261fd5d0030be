// Prometheus reads values with Go's strconv.ParseFloat, without what Go 1.13 added (hexadecimal
// floats, underscores). https://pkg.go.dev/strconv#ParseFloat;
// prometheus/model/textparse/promparse.go, parseFloat

/** No two of its parts can match the same digits, so it takes linear time for any string. */
const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INFINITE = /^[+-]?inf(?:inity)?$/i;
const NOT_A_NUMBER = /^nan$/i;

/** Returns the number that Prometheus reads from the string, or undefined where it is invalid. */
export function parseFloat64(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const number = Number(text);
    // Go rejects numbers that are out of range: `1e999` is an error, `Inf` is not.
    return Number.isFinite(number) ? number : undefined;
  }
  if (INFINITE.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return NOT_A_NUMBER.test(text) ? Number.NaN : undefined;
}

/**
 * Returns whether the digits are a timestamp in milliseconds that fits into a signed 64-bit
 * integer.
 */
export function isInt64(digits: string): boolean {
  const significant = digits.replace(/^0+/, '');
  return significant.length < MAX_INT64.length || (significant.length === MAX_INT64.length && significant <= MAX_INT64);
}

const MAX_INT64 = '9223372036854775807';
