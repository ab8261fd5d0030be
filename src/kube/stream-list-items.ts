import { isObject } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/** Reads a list's JSON in pieces, and calls back with its items one by one. */
export interface ItemReader {
  /** Reads the next bytes. They may end anywhere. */
  push(bytes: Uint8Array): void;
  /**
   * Returns the list without its items. Throws a SyntaxError when it was not a whole JSON object.
   */
  end(): JsonObject;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** A list of Kubernetes is `{"metadata":…,"items":[…]}`: its items lie within one object and one array. */
const ITEMS_DEPTH = 2;

/**
 * Returns a reader of a Kubernetes list, whose only array at the top is `items`; or with another depth of JSON whose
 * arrays at that depth have the items, within so many objects and arrays. Only one item at a
 * time is in memory: 500 pods of 10 KB are 5 MB of JSON and three times as much when parsed, for
 * each of fifty namespaces at the same moment. Bytes are enough to find where items end, because in
 * UTF-8 no part of another character looks like a quote or a bracket.
 */
export function createItemReader(onItem: (item: unknown) => void, itemsDepth = ITEMS_DEPTH): ItemReader {
  const rest = new TextCollector();
  const item = new TextCollector();
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  let isInItems = false;

  return {
    push(bytes) {
      let from = 0; // start of what has not been collected yet
      const collect = (to: number) => {
        (isInItems ? item : rest).add(bytes.subarray(from, to));
        from = to;
      };
      for (let at = 0; at < bytes.length; at += 1) {
        const byte = bytes[at];
        if (isInString) {
          if (isEscaped) isEscaped = false;
          else if (byte === BACKSLASH) isEscaped = true;
          else if (byte === QUOTE) isInString = false;
        } else if (byte === QUOTE) {
          isInString = true;
        } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
          depth += 1;
          if (byte === OPEN_BRACKET && depth === itemsDepth) {
            collect(at + 1);
            isInItems = true;
          }
        } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
          if (byte === CLOSE_BRACKET && depth === itemsDepth) {
            collect(at);
            finishItem();
            isInItems = false;
          }
          depth -= 1;
        } else if (byte === COMMA && isInItems && depth === itemsDepth) {
          collect(at);
          finishItem();
          from = at + 1;
        }
      }
      collect(bytes.length);
    },
    end() {
      const list: unknown = JSON.parse(rest.take());
      if (isObject(list)) return list;
      throw new SyntaxError('not a JSON object');
    },
  };

  function finishItem(): void {
    const text = item.take();
    if (text.trim() !== '') onItem(JSON.parse(text));
  }
}

/** Collects a string that comes as bytes in pieces. */
class TextCollector {
  #decoder = new TextDecoder();
  #text = '';

  add(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
  }

  /** Returns the string so far and starts an empty one. */
  take(): string {
    const text = this.#text + this.#decoder.decode();
    this.#text = '';
    return text;
  }
}
