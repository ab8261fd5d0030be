import { CLOSE_ARRAY, CLOSE_OBJECT, COLON, COMMA, endOfString, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-bytes.ts';
import { MAX_DEPTH, MAX_STRUCTURE, UNSCANNED_BYTES } from './request-limits.ts';

/**
 * Returns which limit JSON exceeds, so that parsing it would cost too much memory; or undefined. It
 * takes one pass over the bytes, about 1 ns each. Where it finds a string the JSON parser finds the
 * same one, as long as the body is JSON; and a body that isn't is refused anyway.
 */
export function exceededJsonLimit(body: Buffer): 'is nested too deeply' | 'has too many values' | undefined {
  if (body.length <= UNSCANNED_BYTES) return undefined;
  let depth = 0;
  let structure = 0;
  for (let index = 0; index < body.length; index++) {
    switch (body[index] ?? 0) {
      case QUOTE:
        index = endOfString(body, index + 1);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > MAX_DEPTH) return 'is nested too deeply';
        structure++;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
      case COLON:
        structure++;
        break;
      default:
    }
  }
  return structure > MAX_STRUCTURE ? 'has too many values' : undefined;
}
