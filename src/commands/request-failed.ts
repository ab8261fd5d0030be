import type { Failure } from '../kube/client.ts';
import { UserError } from '../process/user-error.ts';

/**
 * Returns the error with which a Job of the chart ends when the API server did not do what it asked for: what that was, and why. Where
 * there was no answer, it says what most often keeps a pod from the API server.
 */
export function requestFailed(what: string, { status, message }: Failure): UserError {
  const sentence = `Cannot ${what}: ${message}`;
  if (status !== 0) return new UserError(sentence);
  return new UserError(
    `${sentence}\nWhere network policies deny egress by default, name the way to the API server in the chart's value networkPolicy.reconcilerEgress.`,
  );
}
