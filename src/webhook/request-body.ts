import type { IncomingMessage } from 'node:http';
import type { Result } from '../core/result.ts';
import type { HttpError } from './http-error.ts';
import { MAX_BODY_BYTES, MAX_BYTES_IN_FLIGHT, MAX_DISCARDED_BYTES } from './request-limits.ts';

/** The bytes that all bodies together may hold. */
export interface ByteBudget {
  /** Takes this many bytes if they fit, and returns whether they did. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** A complete body. Its bytes stay taken from the budget until `release` is called. */
export interface Body {
  readonly bytes: Buffer;
  /** When the request's headers were complete, in milliseconds of `performance.now()`. */
  readonly start: number;
  release(): void;
}

/** A body, or why it was refused; and how many bytes of it arrived, whatever its header declared. */
export type ReceivedBody = Result<Body, HttpError> & { readonly receivedBytes: number };

const TOO_LARGE: HttpError = {
  status: 413,
  message: `the body is larger than ${MAX_BODY_BYTES} bytes, more than any review of one object`,
};
const BUSY: HttpError = { status: 503, message: 'too many request bytes in flight: try again' };
const ABORTED: HttpError = { status: 400, message: 'the body ended early' };

/** Returns a budget of that many bytes. */
export function byteBudget(limit = MAX_BYTES_IN_FLIGHT): ByteBudget {
  let taken = 0;
  return {
    take(bytes) {
      if (taken + bytes > limit) return false;
      taken += bytes;
      return true;
    },
    give(bytes) {
      taken -= bytes;
    },
  };
}

/**
 * Calls `done` once, with the complete body or why it was refused. Bytes are taken from the budget when they
 * arrive, not when they are declared: otherwise a header without a body could reserve all of it.
 * The rest of a refused body is read and dropped; with `headError` that is the whole body.
 */
export function readBody(
  request: IncomingMessage,
  budget: ByteBudget,
  done: (body: ReceivedBody) => void,
  headError?: HttpError,
): void {
  const start = performance.now();
  const declared = Number(request.headers['content-length'] ?? 0);
  let bytes: Buffer = NOTHING;
  let receivedBytes = 0;
  let taken = 0;
  let error = headError;
  let isDone = false;

  function release(): void {
    budget.give(taken);
    taken = 0;
  }
  function refuse(reason: HttpError): void {
    error = reason;
    bytes = NOTHING;
    release();
  }
  function append(chunk: Buffer): void {
    const end = taken + chunk.length;
    // Most bodies are one chunk, which is memory of its own (node_http_parser.cc, on_body).
    if (taken === 0 && end === declared) bytes = chunk;
    else {
      // Copies into one buffer of the declared size: joining chunks would take the memory twice.
      if (end > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(declared, 2 * bytes.length, end), MAX_BODY_BYTES));
        bytes.copy(larger, 0, 0, taken);
        bytes = larger;
      }
      chunk.copy(bytes, taken);
    }
    taken = end;
  }
  function end(body: Result<Body, HttpError>): void {
    if (isDone) return;
    isDone = true;
    done({ ...body, receivedBytes });
  }

  if (declared > MAX_DISCARDED_BYTES) {
    end({ ok: false, error: error ?? TOO_LARGE });
    return;
  }
  request.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.length;
    if (error !== undefined) {
      if (receivedBytes > MAX_DISCARDED_BYTES) end({ ok: false, error });
    } else if (receivedBytes > MAX_BODY_BYTES) {
      refuse(TOO_LARGE);
    } else if (budget.take(chunk.length)) {
      append(chunk);
    } else {
      refuse(BUSY);
    }
  });
  request.on('end', () => {
    const body = bytes;
    bytes = NOTHING;
    if (error === undefined) end({ ok: true, value: { bytes: body.subarray(0, taken), start, release } });
    else end({ ok: false, error });
  });
  // 'close' without 'end': the client hung up, or was too slow and got a 408 from Node.
  request.on('close', () => {
    if (request.complete) return;
    refuse(ABORTED);
    end({ ok: false, error: ABORTED });
  });
  request.on('error', () => {}); // 'close' follows
}

const NOTHING: Buffer = Buffer.alloc(0);
