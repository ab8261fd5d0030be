import type { IncomingMessage } from 'node:http';
import { MAX_BODY_BYTES, MAX_BYTES_IN_FLIGHT, MAX_DISCARDED_BYTES } from './limits.ts';
import type { Refusal } from './refusal.ts';

/** The bytes that all bodies together may hold. */
export interface ByteBudget {
  /** Whether so many more fit; if so, they are taken. */
  readonly take: (bytes: number) => boolean;
  readonly give: (bytes: number) => void;
}

/** How much came of a body. */
interface Received {
  /** In bytes; what was declared says nothing. */
  readonly received: number;
}

/** A body that is refused. */
export type RefusedBody = Refusal & Received;

/** A received body, whose bytes stay taken from the budget until `release` is called. */
export interface Body extends Received {
  readonly bytes: Buffer;
  /** When its request's headers were there, in milliseconds of `performance.now()`. */
  readonly start: number;
  readonly release: () => void;
}

const TOO_LARGE: Refusal = {
  status: 413,
  message: `the body is larger than ${MAX_BODY_BYTES} bytes, more than any review of one object`,
};
const BUSY: Refusal = { status: 503, message: 'other reviews hold all the memory there is for bodies; try again' };
const ABORTED: Refusal = { status: 400, message: 'the body ended before its time' };

/** A budget of {@link MAX_BYTES_IN_FLIGHT}, unless told otherwise. */
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
 * The whole body, or why not. Bytes are taken from the budget as they arrive and not as declared, so that nobody
 * reserves all of it by a header and then sends nothing. Of a refused body the rest is read and dropped; with `refused`
 * that is all of it.
 */
export function readBody(request: IncomingMessage, budget: ByteBudget, refused?: Refusal): Promise<Body | RefusedBody> {
  const start = performance.now();
  return new Promise((resolve) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    let bytes = Buffer.alloc(0);
    let received = 0;
    let taken = 0;
    let refusal = refused;

    function release(): void {
      budget.give(taken);
      taken = 0;
    }
    function refuse(reason: Refusal): void {
      refusal = reason;
      bytes = Buffer.alloc(0);
      release();
    }
    // Into one buffer of the right size, which the API server declares: pieces to be joined would take the memory twice.
    function append(chunk: Buffer): void {
      const end = taken + chunk.length;
      if (end > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(declared, 2 * bytes.length, end), MAX_BODY_BYTES));
        bytes.copy(larger, 0, 0, taken);
        bytes = larger;
      }
      chunk.copy(bytes, taken);
      taken = end;
    }

    if (declared > MAX_DISCARDED_BYTES) {
      resolve({ ...(refusal ?? TOO_LARGE), received });
      return;
    }
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (refusal !== undefined) {
        if (received > MAX_DISCARDED_BYTES) resolve({ ...refusal, received });
      } else if (received > MAX_BODY_BYTES) {
        refuse(TOO_LARGE);
      } else if (budget.take(chunk.length)) {
        append(chunk);
      } else {
        refuse(BUSY);
      }
    });
    request.on('end', () => {
      resolve({ ...(refusal ?? { bytes: bytes.subarray(0, taken), start, release }), received });
      bytes = Buffer.alloc(0);
    });
    // Without 'end' before: the client has gone, or took too long and got a 408 from Node.
    request.on('close', () => {
      if (request.complete) return;
      refuse(ABORTED);
      resolve({ ...ABORTED, received });
    });
    request.on('error', () => {}); // 'close' follows
  });
}
