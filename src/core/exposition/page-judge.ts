import { LINE_END, NUL } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import type { EntryReader } from './entry.ts';
import { readOpenMetricsEntry } from './openmetrics-format.ts';
import { isRuntimeMetric } from './runtime-metrics.ts';
import { readTextEntry } from './text-format.ts';

/** The formats that Prometheus is asked to read: `text` is 0.0.4 and 1.0.0. */
export type Format = 'text' | 'openmetrics';

/**
 * Judges a page as Prometheus 3 would, while it is received. It buffers only the incomplete line.
 */
export interface PageJudge {
  /** Reads the next bytes of the page. */
  feed(chunk: Uint8Array): void;
  /** Returns the judgement of a page that was read to its end. */
  end(): PageFinding;
  /** Returns the judgement of the complete lines of a page whose end was not read. */
  cutOff(): PageFinding;
}

/** What a page is. It contains nothing of the page but counts. */
export interface PageFinding {
  /** Whether the page has no bytes. */
  readonly empty: boolean;
  /** Whether Prometheus accepts it. */
  readonly valid: boolean;
  /** The line that is not valid, counted from 1; undefined where all are. */
  readonly line: number | undefined;
  /** Whether that line is longer than {@link MAX_LINE}, so that it was not judged. */
  readonly tooLong: boolean;
  /** The number of samples before that line, duplicates included: `scrape_samples_scraped`. */
  readonly series: number;
  /**
   * Whether a sample of its metric followed a TYPE line: no other page looks like this by chance.
   */
  readonly typed: boolean;
  /**
   * Whether a HELP, TYPE or UNIT line named a metric, even where the rest of the line is invalid.
   */
  readonly described: boolean;
  /** Whether there is a metric that is not the client library's own. */
  readonly beyondRuntime: boolean;
}

/**
 * In bytes. It bounds the memory of a request: the buffer of the incomplete line has at most twice
 * this size.
 */
export const MAX_LINE = 1024 * 1024;

/** In bytes: how much of a chunk is read at once, so that memory is bounded for any chunk. */
const PIECE = 64 * 1024;

const READERS: Readonly<Record<Format, EntryReader>> = { text: readTextEntry, openmetrics: readOpenMetricsEntry };

/**
 * Returns a judge of one page in this format. It holds at most two lines' bytes, and never throws.
 */
export function judgePage(format: Format): PageJudge {
  const read = READERS[format];
  // It grows with what is received: most answers are no page, and few bytes.
  let held = new Uint8Array(0);
  let length = 0;
  // Parsing an entry again takes time in proportion to its size. Where single bytes arrive, its
  // size must double between two attempts.
  let wanted = 1;
  let line = 1;
  let lastByte: number | undefined;
  let state: 'reading' | 'eof' | 'stopped' | 'invalid' | 'too_long' = 'reading';
  let series = 0;
  let typed = false;
  let described = false;
  let beyondRuntime = false;
  let lastType: string | undefined;
  let lineEnded = false;

  /** Reads all complete entries. `isLast` means that no bytes follow. */
  function readEntries(isLast: boolean): void {
    const cursor: Cursor = { bytes: held, at: 0, end: 0, starved: false };
    let start = 0;
    while (state === 'reading' && start < length) {
      cursor.at = start;
      cursor.end = Math.min(length, start + MAX_LINE);
      cursor.starved = false;
      const entry = read(cursor);
      if (cursor.starved) {
        if (cursor.end - start === MAX_LINE) state = 'too_long';
        else if (isLast) state = 'invalid';
        break;
      }
      switch (entry.kind) {
        case 'invalid':
          described ||= entry.described;
          state = 'invalid';
          break;
        case 'stop':
          state = 'stopped';
          break;
        case 'eof':
          state = 'eof';
          break;
        case 'help':
          described = true;
          break;
        case 'type':
          described = true;
          lastType = entry.name;
          break;
        case 'sample':
          series++;
          if (lastType !== undefined && isOfFamily(entry.name, lastType)) typed = true;
          lastType = undefined;
          beyondRuntime ||= !isRuntimeMetric(entry.name);
          break;
        case 'nothing':
      }
      if (state === 'invalid') break;
      for (let at = start; at < cursor.at; at++) if (held[at] === LINE_END) line++;
      start = cursor.at;
    }
    held.copyWithin(0, start, length);
    length -= start;
    if (state === 'eof') readBehindEof(held.subarray(0, length));
    wanted = Math.min(2 * length, MAX_LINE) + (length === 0 ? 1 : 0);
  }

  function hold(piece: Uint8Array): void {
    if (length + piece.length > held.length) {
      const larger = new Uint8Array(2 * (length + piece.length));
      larger.set(held.subarray(0, length));
      held = larger;
    }
    held.set(piece, length);
    length += piece.length;
  }

  /** Only the end of its line may follow `# EOF`, and NULs, which the lexer ignores. */
  function readBehindEof(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === NUL) continue;
      if (byte !== LINE_END || lineEnded) {
        state = 'invalid';
        return;
      }
      lineEnded = true;
      line++;
    }
  }

  function finding(): PageFinding {
    const valid = state !== 'invalid' && state !== 'too_long';
    return {
      empty: lastByte === undefined,
      valid,
      line: valid ? undefined : line,
      tooLong: state === 'too_long',
      series,
      typed,
      described,
      beyondRuntime,
    };
  }

  return {
    feed(chunk) {
      lastByte = chunk.at(-1) ?? lastByte;
      for (let at = 0; at < chunk.length; at += PIECE) {
        const piece = chunk.subarray(at, at + PIECE);
        if (state === 'eof') readBehindEof(piece);
        if (state !== 'reading') continue;
        hold(piece);
        if (length >= wanted) readEntries(false);
      }
    },
    end() {
      if (lastByte !== undefined && state === 'reading') {
        if (format === 'text' && lastByte !== LINE_END) hold(Uint8Array.of(LINE_END));
        readEntries(true);
      }
      if (format === 'openmetrics' && lastByte !== undefined && state === 'reading') state = 'invalid';
      return finding();
    },
    cutOff() {
      if (state === 'reading') readEntries(false);
      return finding();
    },
  };
}

/**
 * A TYPE line names the family; a sample may have a suffix of its type's: `_total`, `_bucket`,
 * `_sum` …
 */
function isOfFamily(sample: string, family: string): boolean {
  return sample === family || SUFFIXES.some((suffix) => sample === family + suffix);
}

const SUFFIXES = ['_total', '_bucket', '_sum', '_count', '_created', '_info', '_gsum', '_gcount'];
