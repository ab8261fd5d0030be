import type { Logger } from 'pino';
import type { Failure } from '../kube/request.ts';
import { forLog } from './printable.ts';

/** Failures, told once when they begin and once when they end, however often they happen in between. */
export interface Complaints {
  /** Logs the failure unless the same thing has been failing in the same way. */
  raise(what: string, failure: Failure, fields?: Readonly<Record<string, string>>): void;
  /** Logs that it has recovered, if it had been failing. */
  settle(what: string): void;
  /** It is not asked for any more, so whether it works is not known; the next failure is a new one. */
  forget(what: string): void;
}

/** A record of what is failing, empty at first. */
export function createComplaints(log: Logger): Complaints {
  const failing = new Map<string, number>();
  return {
    raise(what, failure, fields = {}) {
      if (failing.get(what) === failure.status) return;
      failing.set(what, failure.status);
      const line = { what, code: failure.status, reason: forLog(failure), ...fields };
      log.warn(line, 'API request failed, retrying');
    },
    settle(what) {
      if (failing.delete(what)) log.info({ what }, 'recovered');
    },
    forget(what) {
      failing.delete(what);
    },
  };
}
