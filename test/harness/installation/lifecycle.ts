import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Helm } from '../chart/render.ts';
import { waitFor } from '../process/wait-for.ts';
import { createOnAndOn, createPod } from './creations.ts';
import type { Creations } from './creations.ts';
import { helmClient, RELEASE } from './helm.ts';
import { inventory } from './inventory.ts';
import { CREATIONS, getSetup, waitUntilAnnotating } from './setup.ts';
import type { Setup } from './setup.ts';
import { apply, namespace, podsOf, readyPod, workload } from './workload.ts';
import type { PodState } from './workload.ts';

/** A release from its installation to its end, in a namespace that takes restricted pods only. */
export function lifecycle(name: Helm): void {
  suite(`a release's life with ${name === 'helm' ? 'Helm 4' : 'Helm 3'}`, () => {
    test(`install, three upgrades, rollback and uninstall, with pods created all the while (${name})`, async (t) => {
      const opened = await getSetup();
      await opened.helm.uninstall();
      await opened.kubectl(['delete', 'namespace', RELEASE, '--ignore-not-found', '--timeout=2m']);
      await apply(opened, namespace('lives'));
      await apply(opened, workload('lives', 'lives'));
      await readyPod(opened.request, 'lives', 'app=lives');
      const before = await inventory(opened.request, RELEASE);

      const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      await apply(opened, namespace(RELEASE, restricted));
      const creator = createOnAndOn(opened.request, CREATIONS);
      try {
        await live({ t, setup: opened, helm: name, report: creator.report });
      } finally {
        await creator.stop();
      }

      await t.test('leaves nothing behind but what is documented', async () => {
        const { annotations } = await readyPod(opened.request, 'lives', 'app=lives');
        assert.equal(annotations['prometheus.io/port'], '9464', 'pods keep their annotations');
        const documented = [
          `Namespace ${RELEASE}`,
          `ServiceAccount ${RELEASE}/default`,
          `ConfigMap ${RELEASE}/kube-root-ca.crt`,
          `Secret ${RELEASE}/autoscrape-ca`,
          `Secret ${RELEASE}/autoscrape-webhook-tls`,
          `Lease ${RELEASE}/autoscrape-reconciler`,
        ];
        await waitFor('all else to be gone', async () => {
          const left = [...(await inventory(opened.request, RELEASE))].filter((object) => !before.has(object));
          assert.deepEqual(left.toSorted(), documented.toSorted());
          return true;
        });
      });
    });
  });
}

function identity({ uid, restarts }: PodState): string {
  return `${uid} ${restarts}`;
}

interface Life {
  readonly t: TestContext;
  readonly setup: Setup;
  readonly helm: Helm;
  readonly report: () => Creations;
}

async function live({ t, setup, helm: name, report }: Life): Promise<void> {
  const helm = helmClient(name, setup.kubeconfig);
  const { prometheus, request } = setup;
  const ours = async (component: string) => podsOf(request, RELEASE, `app.kubernetes.io/component=${component}`);
  const settled = async (): Promise<void> => {
    await setup.kubectl(['rollout', 'status', `--namespace=${RELEASE}`, 'deployment/autoscrape-webhook']);
    await setup.kubectl(['rollout', 'status', `--namespace=${RELEASE}`, 'deployment/autoscrape-reconciler']);
  };
  const values = join(setup.directory, 'values.yaml');
  let failed = false;
  const step = (title: string, work: () => Promise<void>, mayMiss = false): Promise<void> =>
    t.test(title, { skip: failed && 'a step before it failed' }, async (t) => {
      failed = true;
      await work();
      const { sent, unannotated, refused, slowestMs } = report();
      t.diagnostic(`${sent} pods created, ${unannotated} of them without annotations, slowest ${slowestMs} ms`);
      assert.deepEqual(refused, []);
      if (!mayMiss) assert.equal(unannotated, 0, 'pods came back without annotations');
      failed = false;
    });

  await step(
    'install',
    async () => {
      await helm.install('--set=sample.enabled=true');
      await prometheus.upTarget({ namespace: 'autoscrape-sample' });
      await prometheus.upTarget({ namespace: 'lives' });
      await settled();
      await waitUntilAnnotating(setup);
    },
    true,
  );

  await step('upgrade with other rules: they hold without a restart', async () => {
    const before = [await ours('webhook'), await ours('reconciler')];
    const rules = { extends: 'default', rules: [{ name: 'ours', when: { portName: 'telemetria' } }] };
    await writeFile(values, JSON.stringify({ rules, sample: { enabled: true } }));
    await helm.upgrade(`--values=${values}`);
    await waitFor('the new rule', async () => (await createPod(request, CREATIONS, 'telemetria')).annotated, {
      seconds: 150,
      everyMs: 1000,
    });
    const after = [await ours('webhook'), await ours('reconciler')];
    assert.deepEqual(
      after.map((pods) => pods.map(identity)),
      before.map((pods) => pods.map(identity)),
    );
  });

  await step('upgrade with a certificate that ends within the hour: taken up, and seen by an alert', async () => {
    const before = (await ours('webhook')).map(({ uid }) => uid);
    const certificates = { duration: '1h', renewBefore: '10m' };
    const webhook = { timeoutSeconds: 5, excludedNamespaces: ['vault'] };
    await writeFile(values, JSON.stringify({ certificates, webhook, sample: { enabled: true } }));
    await helm.upgrade(`--values=${values}`);
    // A changed list of excluded namespaces is an argument of the reconciler's; the webhook's pods stay.
    await waitFor('the alert', () => prometheus.isFiring('AutoscrapeCertExpiringSoon'), { seconds: 180 });
    assert.deepEqual(
      (await ours('webhook')).map(({ uid }) => uid),
      before,
    );
  });

  await step('upgrade to three replicas that log more: a rolling update', async () => {
    await helm.upgrade('--reset-then-reuse-values', '--set=webhook.replicas=3', '--set=logLevel=debug');
    await settled();
    assert.equal((await ours('webhook')).length, 3);
  });

  await step('rollback', async () => {
    await helm.succeed('rollback', RELEASE, '1');
    await settled();
    assert.equal((await ours('webhook')).length, 2);
    await waitFor('the alert to end', async () => !(await prometheus.isFiring('AutoscrapeCertExpiringSoon')), {
      seconds: 180,
    });
  });

  await step('uninstall', () => helm.uninstall(), true);
}
