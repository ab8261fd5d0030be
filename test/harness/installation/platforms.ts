import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { at, list } from '../chart/render.ts';
import { AT_FULL_LENGTH } from '../length.ts';
import { nodeName } from '../node/kubelet.ts';
import { sandboxDirectory } from '../node/sandbox-remains.ts';
import { waitFor } from '../process/wait-for.ts';
import { fresh } from './certificates.ts';
import { createPod } from './creations.ts';
import { RELEASE } from './helm.ts';
import { CREATIONS, waitUntilAnnotating } from './setup.ts';
import { apply, namespace } from './workload.ts';

const DOCS = join(import.meta.dirname, '../../../docs');
const DEPLOYMENT = `/apis/apps/v1/namespaces/${RELEASE}/deployments/autoscrape-webhook`;

/** What docs/platforms.md says of the node's network, of EKS Fargate, where a pod shares the kubelet's address as it does there, and of OpenShift. */
export function platforms(): void {
  const skip = process.env[AT_FULL_LENGTH] !== '1' && 'only with --all';
  suite("the webhook on its node's network", { skip }, () => {
    const values = [
      '--set=certificates.mode=job,webhook.replicas=1,reconciler.enabled=false',
      '--set=webhook.hostNetwork=true,webhook.port=10260,webhook.healthPort=18080',
    ];

    test('starts only where the namespace takes privileged pods, and is reached at the address of its node', async (t) => {
      const setup = await fresh();
      if (setup.runInNode === undefined) {
        t.skip('only on a node of our own');
        return;
      }
      const enforce = (level: string): Promise<void> =>
        apply(setup, namespace(RELEASE, { 'pod-security.kubernetes.io/enforce': level }));
      await enforce('baseline');
      await setup.helm.install(...values);
      await waitFor('its pods to be refused', async () => {
        const conditions = list((await setup.request('GET', DEPLOYMENT)).body, 'status', 'conditions');
        return conditions.some((condition) =>
          /violates PodSecurity.*hostNetwork/.test(String(at(condition, 'message'))),
        );
      });
      await enforce('privileged');
      // The controller tries again after a while; an upgrade makes it do so now.
      await setup.helm.upgrade(...values, '--set=webhook.podAnnotations.try=again');
      await waitUntilAnnotating(setup);
    });

    test('a rolling update stops a pod before its successor starts, which needs its ports', async () => {
      const setup = await fresh();
      if (setup.runInNode === undefined) return;
      await setup.helm.install(...values);
      await waitUntilAnnotating(setup);
      await setup.helm.upgrade(...values, '--set=webhook.podAnnotations.new=pod');
      await setup.kubectl(['rollout', 'status', `--namespace=${RELEASE}`, 'deployment/autoscrape-webhook']);
      await waitUntilAnnotating(setup);
    });

    test("calls to the kubelet's port fail with the message that docs/platforms.md quotes", async () => {
      const setup = await fresh();
      if (setup.runInNode === undefined) return;
      await setup.helm.install(...values);
      await waitUntilAnnotating(setup);
      const wrongPort = JSON.stringify([{ op: 'replace', path: '/spec/ports/0/targetPort', value: 10250 }]);
      const inRelease = `--namespace=${RELEASE}`;
      await setup.kubectl(['patch', 'service', 'autoscrape-webhook', inRelease, '--type=json', `--patch=${wrongPort}`]);
      // The API server's open connections end with the pod.
      await setup.kubectl(['rollout', 'restart', inRelease, 'deployment/autoscrape-webhook']);
      const page = await readFile(join(DOCS, 'platforms.md'), 'utf8');
      const quoted = /^x509: .*$/m.exec(page)?.[0].replace(/ip-[a-z0-9.-]+/, nodeName);
      assert.ok(quoted !== undefined);
      await waitFor('the message in the log', async () => {
        await createPod(setup.request, CREATIONS);
        const log = await readFile(join(sandboxDirectory, 'kube-apiserver.log'), 'utf8');
        return log.includes(quoted);
      });
      assert.equal((await createPod(setup.request, CREATIONS)).annotated, false);
    });
  });

  suite('a user id that the platform chooses, as OpenShift does', { skip }, () => {
    test('is no hindrance: Jobs, webhook, reconciler and `helm test` work', async () => {
      const setup = await fresh();
      const context = '--set=podSecurityContext.runAsUser=1000690000,podSecurityContext.fsGroup=1000690000';
      await setup.helm.install('--set=certificates.mode=job', context);
      await waitUntilAnnotating(setup);
      await setup.kubectl(['rollout', 'status', `--namespace=${RELEASE}`, 'deployment/autoscrape-reconciler']);
      assert.match(await setup.helm.succeed('test', RELEASE, '--timeout=2m'), /Phase:\s+Succeeded/);
    });
  });
}
