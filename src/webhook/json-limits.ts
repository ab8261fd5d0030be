import { MAX_DEPTH, MAX_STRUCTURE, UNSCANNED_BYTES } from './limits.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * Why a JSON text would cost too much memory to parse, or undefined. One pass over the bytes, about 1 ns each: what
 * it sees as a string is one for the parser too as long as the text is JSON, and what is not JSON is refused anyway.
 */
export function excessiveShape(body: Buffer): 'nested too deeply' | 'made of too many values' | undefined {
  if (body.length <= UNSCANNED_BYTES) return undefined;
  let depth = 0;
  let structure = 0;
  let inString = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] ?? 0;
    if (inString) {
      if (byte === QUOTE) inString = false;
      else if (byte === BACKSLASH) index++;
      continue;
    }
    switch (byte) {
      case QUOTE:
        inString = true;
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > MAX_DEPTH) return 'nested too deeply';
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
  return structure > MAX_STRUCTURE ? 'made of too many values' : undefined;
}
