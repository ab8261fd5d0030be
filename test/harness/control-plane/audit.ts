import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How much of a request is written down; patches of webhooks are from `Request` on. */
export type AuditLevel = 'Metadata' | 'Request' | 'RequestResponse';

/** As much of an audit event as tells what was asked, by whom, and what webhooks made of it. */
export interface AuditEvent {
  readonly auditID: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** Writes an audit policy into `directory` and returns the API server's flags for it. */
export async function auditFlags(directory: string, level: AuditLevel): Promise<string[]> {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level }],
  };
  const policyFile = join(directory, 'audit-policy.json');
  await writeFile(policyFile, JSON.stringify(policy));
  return [`--audit-policy-file=${policyFile}`, `--audit-log-path=${logFile(directory)}`];
}

/** Returns the audit events so far, oldest first. */
export async function readAuditEvents(directory: string): Promise<AuditEvent[]> {
  const lines = (await readFile(logFile(directory), 'utf8')).split('\n');
  // What follows the last end of line is empty, or an event that is just being written.
  return lines.slice(0, -1).map((line): AuditEvent => JSON.parse(line));
}

function logFile(directory: string): string {
  return join(directory, 'audit.log');
}
