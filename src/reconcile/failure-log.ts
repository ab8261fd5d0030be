import type { Logger } from 'pino';
import { stripControls } from '../core/control-characters.ts';
import type { Failure } from '../kube/client.ts';

/**
 * Logs failures once when they begin and once when they end, however often they happen in between.
 */
export interface FailureLog {
  /**
   * Logs the failure of a subject (the field `what`), unless it already failed with the same
   * status.
   */
  report(what: string, failure: Failure, fields?: Readonly<Record<string, string>>): void;
  /** Logs that the subject has recovered, if it was failing. */
  resolve(what: string): void;
  /**
   * Forgets the subject: no request is sent for it any more, so whether it works is unknown. Its
   * next failure is a new one.
   */
  forget(what: string): void;
}

/**
 * The subjects of reading namespaces. A list that works says nothing about the watch, so each has
 * its own.
 */
export const NAMESPACES_SUBJECTS = { list: 'namespaces', watch: 'watch of namespaces' } as const;

/** The subjects of reading Services. */
export const SERVICES_SUBJECTS = { list: 'services', watch: 'watch of services' } as const;

/** Returns the subjects of reading a namespace's pods. */
export function podSubjects(namespace: string): Readonly<Record<'list' | 'watch', string>> {
  return { list: `pods of ${namespace}`, watch: `watch of pods of ${namespace}` };
}

/** The subject of reading pods that are asked. */
export const ASK_SUBJECT = 'pods to ask';

/** Returns the subject of patching pods of a namespace, or of all. */
export function patchSubject(namespace?: string): string {
  return namespace === undefined ? 'patch pods' : `patch pods of ${namespace}`;
}

/** Returns a failure log in which nothing is failing. */
export function createFailureLog(log: Logger): FailureLog {
  const failing = new Map<string, number>();
  return {
    report(what, failure, fields = {}) {
      if (failing.get(what) === failure.status) return;
      failing.set(what, failure.status);
      const line = { what, code: failure.status, reason: loggableMessage(failure), ...fields };
      log.warn(line, 'API request failed, retrying');
    },
    resolve(what) {
      if (failing.delete(what)) log.info({ what }, 'recovered');
    },
    forget(what) {
      failing.delete(what);
    },
  };
}

/** Longest message that is shown, in characters. */
const LONGEST_MESSAGE = 256;

/**
 * Returns the first line of a message, without control characters and shortened to 256 characters.
 */
export function firstLine(message: string): string {
  const [first = ''] = message.trimStart().split(/[\r\n]/, 1);
  const line = stripControls(first).trimEnd();
  return line.length <= LONGEST_MESSAGE ? line : `${line.slice(0, LONGEST_MESSAGE - 1)}…`;
}

/**
 * Returns the failure's message for the log: its first line, without the details of validation
 * (422, `… is invalid: …`), which quote the pod's values.
 */
export function loggableMessage({ status, message }: Failure): string {
  const line = firstLine(message);
  const end = status === 422 ? line.indexOf(' is invalid') : -1;
  return end < 0 ? line : line.slice(0, end + ' is invalid'.length);
}
