import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { waitFor } from '../process/wait-for.ts';
import { getSetup, installed } from './setup.ts';
import { apply, namespace, podsOf, readyPod, workload } from './workload.ts';

const SAMPLE = 'autoscrape-sample';
const QUERY = 'rate(count_total[1m])';

/** The user's own sentence: helm install, label a namespace, deploy unchanged workloads, and they are targets. */
export function fromInstallToTarget(): void {
  suite('from helm install to a target that is up', () => {
    test('helm install with the sample, and nothing more done by hand: the sample is a target', async (t) => {
      const { helm, prometheus, request } = await getSetup();
      await helm.uninstall();
      const start = performance.now();
      await helm.install('--set=sample.enabled=true');
      const target = await prometheus.upTarget({ namespace: SAMPLE });
      t.diagnostic(`${target.scrapeUrl} is up ${seconds(start)} after helm install was typed`);
      const [pod] = await podsOf(request, SAMPLE, 'app.kubernetes.io/component=sample');
      assert.equal(pod?.restarts, 0);
      assert.equal(pod.annotations['prometheus.io/port'], '8000');
    });

    test(`${QUERY} is above zero`, async (t) => {
      const { prometheus, ...rest } = await getSetup();
      await installed({ prometheus, ...rest });
      const rate = await waitFor(
        QUERY,
        async () => {
          const [sample] = await prometheus.query(`${QUERY} > 0`);
          return sample?.value;
        },
        { seconds: 60, everyMs: 500 },
      );
      t.diagnostic(`${QUERY} is ${rate.toFixed(3)}`);
    });

    test('an unchanged workload becomes a target in a labelled namespace, and is left alone in another', async () => {
      const opened = await getSetup();
      const { prometheus, request } = opened;
      await installed(opened);
      await apply(opened, namespace('shop'), namespace('unlabelled', {}));
      await apply(opened, workload('shop', 'shop'), workload('unlabelled', 'shop'));
      const { scrapeUrl } = await prometheus.upTarget({ namespace: 'shop', app: 'shop' });
      assert.match(scrapeUrl, /:9464\/metrics$/);

      const left = await readyPod(request, 'unlabelled', 'app=shop');
      assert.deepEqual(left.annotations, {});
      assert.deepEqual(await prometheus.targets({ namespace: 'unlabelled' }), []);
    });

    test('helm test passes', async () => {
      const opened = await getSetup();
      await installed(opened);
      assert.match(await opened.helm.succeed('test', 'autoscrape', '--timeout=2m'), /Phase:\s+Succeeded/);
    });

    test('pods that were there before the label become targets with no restart', async () => {
      const opened = await getSetup();
      const { kubectl, prometheus, request } = opened;
      await installed(opened);
      await apply(opened, namespace('early', {}), workload('early', 'early'));
      const before = await readyPod(request, 'early', 'app=early');
      assert.deepEqual(before.annotations, {});

      await kubectl(['label', 'namespace', 'early', 'autoscrape.io/inject=enabled']);
      await prometheus.upTarget({ namespace: 'early' });
      const after = await readyPod(request, 'early', 'app=early');
      assert.deepEqual([after.uid, after.restarts], [before.uid, before.restarts]);
      assert.equal(after.annotations['prometheus.io/port'], '9464');
    });
  });
}

/** Returns the seconds since a moment, for a sentence. */
export function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
