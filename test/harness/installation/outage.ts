import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isObject } from '../../../src/core/json.ts';
import { waitFor } from '../process/wait-for.ts';
import { installed, getSetup, waitUntilAnnotating } from './setup.ts';
import { apply, namespace, readyPod, workload } from './workload.ts';

/** What happens while no webhook answers, and what is seen of it. */
export function outage(): void {
  suite('an outage of the webhook', () => {
    test('lets pods be created, which become targets with no restart, and is seen by an alert', async (t) => {
      const opened = await getSetup();
      const { kubectl, prometheus, request } = opened;
      await installed(opened);
      await apply(opened, namespace('outage'));
      const scale = (replicas: number): Promise<string> =>
        kubectl(['scale', '--namespace=autoscrape', 'deployment/autoscrape-webhook', `--replicas=${replicas}`]);
      await scale(0);
      await kubectl([
        'wait',
        '--namespace=autoscrape',
        '--for=delete',
        'pod',
        '--timeout=90s',
        '--selector=app.kubernetes.io/component=webhook',
      ]);

      const start = performance.now();
      const pod = workload('outage', 'missed', 'Pod');
      const { status, body } = await request('POST', '/api/v1/namespaces/outage/pods', pod);
      assert.equal(status, 201, body.message);
      assert.equal(body.metadata?.annotations, undefined);
      t.diagnostic(`created without the webhook in ${Math.round(performance.now() - start)} ms`);

      await prometheus.upTarget({ namespace: 'outage' });
      const after = await readyPod(request, 'outage', 'app=missed');
      assert.deepEqual([after.uid, after.restarts], [body.metadata?.uid, 0]);
      assert.ok(isObject(JSON.parse(after.annotations['autoscrape.io/injected'] ?? '')));

      await waitFor('the alert', () => prometheus.isFiring('AutoscrapeWebhookFailOpen'), { seconds: 60 });
      await waitFor('the other alert', () => prometheus.isFiring('AutoscrapePodsMissed'), { seconds: 60 });
      await scale(2);
      await waitUntilAnnotating(opened);
    });
  });
}
