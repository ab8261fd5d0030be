import { statusMessage } from './client.ts';
import type { Call, Kube } from './client.ts';

/** Why a call brought nothing: the HTTP status (0: there was no answer) and a sentence. */
export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Milliseconds that the API server asks to be left alone. */
  readonly retryAfterMs?: number;
}

/** No answer, too many requests, or the API server's own trouble: everybody's problem, not this call's. */
export function isOutage({ status }: Failure): boolean {
  return status === 0 || status === 429 || status >= 500;
}

export type Asked = { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly failure: Failure };

/** The answer's JSON, or why there is none: no connection, no answer in time, any status outside 200–299. */
export async function ask(kube: Kube, call: Call): Promise<Asked> {
  try {
    const answer = await kube.call(call);
    if (answer.status >= 200 && answer.status < 300) return { ok: true, body: answer.body };
    const failure = {
      status: answer.status,
      message: statusMessage(answer),
      ...(answer.retryAfter === undefined ? {} : { retryAfterMs: answer.retryAfter * 1000 }),
    };
    return { ok: false, failure };
  } catch (error) {
    return {
      ok: false,
      failure: { status: 0, message: error instanceof Error ? error.message : String(error) },
    };
  }
}
