import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSample } from '../../src/sample/server.ts';
import { startServe } from '../harness/autoscrape/serving.ts';
import { post } from '../harness/autoscrape/client.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import { promtool } from '../harness/programs/prometheus.ts';
import { RECONCILER, grantRights, startReconciler } from '../harness/programs/reconciler-process.ts';

// What the tutorial did by hand: `promtool check metrics` on every page that autoscrape serves.

async function accepted(page: string): Promise<void> {
  const { code, stdout, stderr } = await promtool(['check', 'metrics'], { stdin: page });
  assert.equal(code, 0, `${stdout}${stderr}`);
}

test("promtool accepts the sample's metrics", async (t) => {
  const sample = await startSample({ host: '127.0.0.1', port: 0 });
  t.after(() => sample.stop());
  const page = await (await fetch(`http://127.0.0.1:${sample.port}/metrics`)).text();
  assert.match(page, /^count_total /m);
  await accepted(page);
});

test("promtool accepts the webhook's metrics, after reviews good and bad", async (t) => {
  const serving = await startServe(t);
  await post(serving, 'no review');
  const object = {
    metadata: {},
    spec: { containers: [{ name: 'app', ports: [{ name: 'metrics', containerPort: 9090 }] }] },
  };
  const request = { uid: 'a', operation: 'CREATE', kind: { group: '', version: 'v1', kind: 'Pod' }, object };
  await post(serving, JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }));
  const { body } = await serving.health('/metrics');
  assert.match(body, /rule="metrics-port"/);
  await accepted(body);
});

test("promtool accepts the reconciler's metrics", async (t) => {
  const cluster = await startControlPlane({ users: { [RECONCILER]: [] } });
  t.after(() => cluster.stop());
  await grantRights(cluster);
  const reconciler = await startReconciler(cluster);
  const page = await reconciler.metrics();
  assert.match(page, /^autoscrape_reconcile_leader /m);
  await accepted(page);
});
