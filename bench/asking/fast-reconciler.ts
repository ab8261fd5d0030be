import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/kube/client.ts';
import { createRateLimiter } from '../../src/kube/rate-limiter.ts';
import { createLog } from '../../src/process/log.ts';
import { createRegistry } from '../../src/process/metrics.ts';
import { createAskMemory } from '../../src/reconcile/remembered-answers.ts';
import { createFailureLog } from '../../src/reconcile/failure-log.ts';
import { createReconcileMetrics } from '../../src/reconcile/metrics.ts';
import { createReconciler } from '../../src/reconcile/reconciler.ts';
import { defaultRules } from '../../src/rules/shipped.ts';
import { createJumpingClock } from './clock.ts';

/** The reconciler as it runs in a cluster, but for its rates, its clock and the addresses that it may ask. */
export interface FastReconciler {
  /** Puts its clock forward. */
  jump(milliseconds: number): void;
  /** Returns how many requests it has logged. */
  asked(): number;
  /** Returns whether workloads are known, and none waits for its first answer. */
  hasAnswers(): boolean;
  stop(): Promise<void>;
}

/** Requests to pods, and patches, in a second. */
const PER_SECOND = 500;

/** Starts a reconciler with the shipped rules on the cluster of this kubeconfig, which is JSON. */
export async function startFastReconciler(kubeconfig: string): Promise<FastReconciler> {
  const folder = await mkdtemp(join(tmpdir(), 'autoscrape-bench-'));
  await writeFile(join(folder, 'kubeconfig'), kubeconfig);
  const connected = await connect({ kubeconfig: join(folder, 'kubeconfig') });
  if (!connected.ok) throw new Error(connected.error);
  const kube = connected.value;
  let asked = 0;
  const log = createLog('info', {
    write(line: string) {
      const { msg, level }: { msg: string; level: string } = JSON.parse(line);
      if (msg === 'pod asked') asked += 1;
      if (level !== 'info') process.stderr.write(line);
    },
  });
  const clock = createJumpingClock();
  const stop = new AbortController();
  const rules = defaultRules();
  const reconciler = createReconciler({
    kube,
    rules: () => rules,
    metrics: createReconcileMetrics(createRegistry(), {
      namespaces: () => 0,
      pods: () => new Map(),
      workloads: () => new Map(),
    }),
    failureLog: createFailureLog(log),
    log,
    rateLimiter: createRateLimiter(PER_SECOND),
    excluded: new Set(),
    only: undefined,
    relistMs: 60 * 60_000,
    ask: {
      ports: 'likely',
      annotatedServices: 'leave',
      version: '0.0.0',
      wasAsked: false,
      memory: createAskMemory({ now: clock.now, onFull: () => undefined }),
      clock,
      perSecond: PER_SECOND,
      // All pods have loopback addresses here; those of nodes are refused as ever.
      refusing: (further) => {
        const refused = new Set(further);
        return (address) => refused.has(address);
      },
    },
    signal: stop.signal,
  });
  const running = reconciler.run();
  return {
    jump: (milliseconds) => clock.jump(milliseconds),
    asked: () => asked,
    hasAnswers() {
      const workloads = reconciler.workloads() ?? new Map<string, number>();
      return workloads.size > 0 && (workloads.get('waiting') ?? 0) === 0;
    },
    async stop() {
      stop.abort();
      await running;
      await kube.close();
      await rm(folder, { recursive: true });
    },
  };
}
