import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { ENDPOINT_FAULTS } from '../faults/endpoint-faults.ts';
import { askDoctor } from '../faults/fault.ts';
import type { Fault, Said } from '../faults/fault.ts';
import { HEALTHY, surroundings } from '../faults/fault-pods.ts';
import { healthyPods } from '../faults/healthy-pods.ts';
import { INSTALLATION_FAULTS } from '../faults/installation-faults.ts';
import { POD_FAULTS } from '../faults/pod-faults.ts';
import { SCRAPER_FAULTS } from '../faults/scraper-faults.ts';
import { AT_FULL_LENGTH, runs } from '../length.ts';
import { GiveUp, waitFor } from '../process/wait-for.ts';
import { run } from '../autoscrape/serving.ts';
import { loadGoImage } from './kind-pods.ts';
import { getSetup, installed } from './setup.ts';
import { seconds } from './target.ts';
import { apply, podsOf } from './workload.ts';

const FAULTS: readonly Fault[] = [...POD_FAULTS, ...ENDPOINT_FAULTS, ...SCRAPER_FAULTS, ...INSTALLATION_FAULTS];

/** Faults that are made for real, one at a time, and what `autoscrape doctor` says of each. `only` names some. */
export function doctor(only?: readonly string[]): void {
  const chosen = FAULTS.filter(({ name, usually }) =>
    only === undefined ? usually === true || process.env[AT_FULL_LENGTH] === '1' : only.includes(name),
  );
  suite('autoscrape doctor', () => {
    const table: string[] = [];
    before(async () => {
      const setup = await getSetup();
      await installed(setup);
      await apply(setup, ...surroundings());
      const objects = chosen.flatMap((fault) => fault.objects ?? []);
      if (objects.length > 0) await apply(setup, ...objects);
    });
    after(async () => {
      const { kubectl } = await getSetup();
      const objects = chosen.flatMap((fault) => fault.objects ?? []);
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...surroundings(), ...objects] });
      await kubectl(['delete', '--filename=-', '--ignore-not-found', '--wait=false'], list);
    });
    if (only === undefined)
      test('pods that are well, of an installation that is well, have no cross, and no warning but that of one node', async (t) => {
        const setup = await getSetup();
        await loadGoImage(setup);
        const replicas = runs({ usually: 1, all: 100 });
        await apply(setup, healthyPods('many', replicas));
        await setup.kubectl(['rollout', 'status', `--namespace=${HEALTHY}`, 'deployment/many', '--timeout=300s']);
        await waitFor(
          'all of them to be up',
          async () => {
            const targets = await setup.prometheus.targets({ namespace: HEALTHY });
            return targets.length > replicas && targets.every(({ health }) => health === 'up');
          },
          { seconds: 180, everyMs: 1000 },
        );
        const [pod] = await podsOf(setup.request, HEALTHY, 'app=many');
        const looks = [[`--namespace=${HEALTHY}`], [`pod/${pod?.name}`, `--namespace=${HEALTHY}`]];
        for (const args of looks) {
          const start = performance.now();
          // A process of its own, as a user has it: the time is printed.
          const { code, stdout, stderr } = await run(['doctor', ...args, `--kubeconfig=${setup.kubeconfig}`]);
          t.diagnostic(`doctor ${args.join(' ')}: ${seconds(start)}`);
          assert.equal(code, 0, stdout + stderr);
          const warned = [...stdout.matchAll(/^ *[!✖–] .*?(?:\[([a-z-]+)\])?$/gm)].map(([line, id]) => id ?? line);
          assert.deepEqual(
            warned.filter((id) => !OF_THIS_MACHINE.includes(id)),
            [],
            stdout,
          );
        }
        await setup.kubectl(['delete', `--namespace=${HEALTHY}`, 'deployment/many', '--wait=false']);
      });
    for (const fault of chosen)
      test(`${fault.part}: ${fault.name}`, async () => {
        const said = await see(fault);
        table.push(`${fault.part.padEnd(13)} ${fault.name.padEnd(55)} ${ids(said)}`);
      });
    test('each fault is named by its id with its remedy, and nothing else is named', (t) => {
      for (const line of table) t.diagnostic(line);
      assert.equal(table.length, chosen.length);
    });
  });
}

function ids({ named }: Said): string {
  return named
    .map(({ id }) => id)
    .filter((id) => !OF_THIS_MACHINE.includes(id))
    .join(' ');
}

/** What is so wherever there is one node, and where a busy machine answers a scrape not within its two seconds. */
const OF_THIS_MACHINE: readonly string[] = ['webhook-one-node', 'target-flapping'];

/** How long a fault may take to show, in seconds: a pod without a target counts as new for two minutes. */
const SECONDS = 180;

/** Ids of what is about to change by itself. */
const PASSING = /\b(?:pod-new|pod-not-running|target-not-yet)\b/;

/** How long another answer may stand that will not change by itself, in milliseconds. */
const WRONG_MS = 40_000;

function problemWith(said: Said, fault: Fault): string | undefined {
  const [first, ...others] = fault.ids;
  const wanted = [first, ...others].toSorted().join(' ');
  if (ids(said).split(' ').toSorted().join(' ') !== wanted) return `it names ${ids(said) || 'nothing'}, not ${wanted}`;
  const todo = said.named.find(({ id }) => id === first)?.todo ?? '';
  return fault.remedy.test(todo) ? undefined : `its remedy is: ${todo}`;
}

async function see(fault: Fault): Promise<Said> {
  const setup = await getSetup();
  const undo = await fault.make?.(setup);
  const start = performance.now();
  let said: Said | undefined;
  try {
    return await waitFor(
      `${fault.ids.join(' ')} to be named`,
      async () => {
        said = await askDoctor(setup, fault.args);
        const problem = problemWith(said, fault);
        if (problem === undefined) return said;
        if (performance.now() - start > WRONG_MS && !PASSING.test(ids(said))) throw new GiveUp(problem);
        throw new Error(problem);
      },
      { seconds: SECONDS, everyMs: 1000 },
    );
  } catch (cause) {
    throw new Error(`doctor ${fault.args.join(' ')} said:\n${said?.text ?? 'nothing'}`, { cause });
  } finally {
    await undo?.();
  }
}
