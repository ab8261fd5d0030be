import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runAutoscrape } from '../autoscrape/run-autoscrape.ts';
import { at, list } from '../chart/render.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';

/** The result of a Job. */
export interface FinishedJob {
  readonly name: string;
  readonly succeeded: boolean;
  readonly output: string;
}

/** Runs Jobs of a namespace until it is stopped. */
export interface JobRunner {
  /** The Jobs that have ended, in their order. */
  readonly finished: readonly FinishedJob[];
  /** Has Jobs of these names, and no others, fail from now on, without being run. */
  fail(...names: readonly string[]): void;
  stop(): Promise<void>;
}

/** Returns the control plane's users for the Jobs of mode job, of a release called autoscrape in each of these namespaces. */
export function usersOfJobs(namespaces: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const accounts = namespaces.flatMap((namespace) =>
    ['certificate', 'ca-bundle'].map((name) => `system:serviceaccount:${namespace}:autoscrape-${name}`),
  );
  return Object.fromEntries(accounts.map((account) => [account, []]));
}

/**
 * Stands in for the Job controller and the kubelet where no node is: runs the program of a Job's container as its service
 * account, which must be one of the control plane's `users`, with the files that the pod would get from Secrets.
 */
export function runJobs(cluster: ControlPlane, namespace: string): JobRunner {
  const finished: FinishedJob[] = [];
  let failing: readonly string[] = [];
  const seen = new Set<string>();
  const stopping = new AbortController();

  async function run(job: unknown): Promise<FinishedJob> {
    const name = String(at(job, 'metadata', 'name'));
    if (failing.includes(name)) return { name, succeeded: false, output: '' };
    const spec = at(job, 'spec', 'template', 'spec');
    const user = `system:serviceaccount:${namespace}:${String(at(spec, 'serviceAccountName'))}`;
    const folder = await mkdtemp(join(cluster.directory, 'job-'));
    const replaced = await writeSecrets(spec, folder);
    const args = list(spec, 'containers', 0, 'args').map((arg) =>
      replaced.reduce((text, [from, to]) => text.replace(from, to), String(arg)),
    );
    const { code, stdout, stderr } = await runAutoscrape([...args, '--kubeconfig', await cluster.kubeconfigOf(user)]);
    await rm(folder, { recursive: true });
    return { name, succeeded: code === 0, output: stdout + stderr };
  }

  /** Writes what the container mounts of Secrets, and returns where it expects the files and where they are. */
  async function writeSecrets(spec: unknown, folder: string): Promise<(readonly [string, string])[]> {
    const mounted = list(spec, 'containers', 0, 'volumeMounts').flatMap((mount) => {
      const volume = list(spec, 'volumes').find((one) => at(one, 'name') === at(mount, 'name'));
      return list(volume, 'secret', 'items').map((item) => ({
        secret: String(at(volume, 'secret', 'secretName')),
        key: String(at(item, 'key')),
        path: `${String(at(mount, 'mountPath'))}/${String(at(item, 'path'))}`,
      }));
    });
    return Promise.all(
      mounted.map(async ({ secret, key, path }) => {
        const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/secrets/${secret}`);
        const file = join(folder, key);
        await writeFile(file, Buffer.from(String(at(body, 'data', key)), 'base64'));
        return [path, file] as const;
      }),
    );
  }

  async function loop(): Promise<void> {
    const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
    while (!stopping.signal.aborted) {
      const { body } = await cluster.request('GET', jobs);
      for (const job of list(body, 'items')) {
        const uid = String(at(job, 'metadata', 'uid'));
        if (seen.has(uid)) continue;
        seen.add(uid);
        const result = await run(job);
        finished.push(result);
        const { status, body } = await cluster.request('PATCH', `${jobs}/${result.name}/status`, {
          status: statusOf(result),
        });
        if (status !== 200) throw new Error(`the status of Job ${result.name}: ${body.message}`);
      }
      await sleep(100);
    }
  }

  const looping = loop();
  return {
    finished,
    fail: (...names) => {
      failing = names;
    },
    stop: async () => {
      stopping.abort();
      await looping;
    },
  };
}

/** The status of a Job that has ended, as its controller writes it. */
function statusOf({ succeeded }: FinishedJob): unknown {
  const now = new Date().toISOString();
  const conditions = succeeded ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed'];
  return {
    startTime: now,
    ...(succeeded ? { succeeded: 1, completionTime: now } : { failed: 3 }),
    uncountedTerminatedPods: {},
    conditions: conditions.map((type) => ({ type, status: 'True', lastProbeTime: now, lastTransitionTime: now })),
  };
}
