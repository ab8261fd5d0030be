import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { heapFlag, MALLOC_VARIABLES, NODE_FLAGS } from '../../../tools/node-flags.ts';
import { cpuSecondsOf } from '../../../tools/process-id.ts';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { temporaryFolder } from '../autoscrape/serving.ts';
import type { Scope } from '../autoscrape/serving.ts';
import { startStandIn } from '../control-plane/stand-in-api-server.ts';
import type { StandIn, StandInOptions } from '../control-plane/stand-in-api-server.ts';
import { freePort } from '../process/free-port.ts';

/** Starts a stand-in API server over TLS until the scope ends. Returns it with the path of its kubeconfig. */
export async function startTlsStandIn(
  scope: Scope,
  options: Omit<StandInOptions, 'tls'>,
): Promise<{ readonly server: StandIn; readonly kubeconfig: string }> {
  const { certificate: cert, key } = createAuthority().issue({ names: ['127.0.0.1'] });
  const server = await startStandIn({ ...options, tls: { cert, key } });
  scope.after(() => server.close());
  const kubeconfig = join(await temporaryFolder(scope), 'kubeconfig');
  await writeFile(kubeconfig, server.kubeconfig);
  return { server, kubeconfig };
}

/** A bundle to run, and the memory limit of the container that it is run for, in MiB. */
export interface Shipped {
  readonly main: string;
  readonly limit: number;
}

/** A reconciler under the flags that it is shipped with. */
export interface ReconcilerProcess {
  /** Returns its metrics page, empty where there is none. */
  metrics(): Promise<string>;
  /** Returns the most memory that it had, in MiB; Infinity where it has ended. */
  peakMemory(): number;
  /** Returns its CPU time in whole seconds; 0 where it has ended. */
  cpuSeconds(): number;
  hasEnded(): boolean;
  /** Returns its exit code or signal, undefined while it runs. */
  endedWith(): string | undefined;
  stop(): Promise<void>;
}

/** Starts a reconciler with these further flags, until the scope ends. */
export async function startReconciler(
  scope: Scope,
  kubeconfig: string,
  { main, limit }: Shipped,
  flags: readonly string[] = [],
): Promise<ReconcilerProcess> {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [
      ...NODE_FLAGS,
      heapFlag(limit),
      main,
      'reconcile',
      ...flags,
      `--kubeconfig=${kubeconfig}`,
      '--lease-namespace=autoscrape',
      '--host=127.0.0.1',
      `--health-port=${port}`,
      '--log-level=error',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...MALLOC_VARIABLES } },
  );
  scope.after(() => child.kill('SIGKILL'));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    hasEnded,
    endedWith: () => (hasEnded() ? String(child.signalCode ?? child.exitCode) : undefined),
    async metrics() {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
      return (await response?.text()) ?? '';
    },
    peakMemory() {
      if (hasEnded()) return Infinity;
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
    },
    cpuSeconds() {
      if (hasEnded()) return 0;
      return Math.round(cpuSecondsOf(child.pid ?? 0));
    },
    async stop() {
      if (hasEnded()) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
