import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { HELMS } from '../chart/render.ts';
import { kubernetesVersions } from '../length.ts';
import { startControlPlane } from '../control-plane/control-plane.ts';
import { certManagerCrds } from '../build/crds.ts';
import { createPod } from './creations.ts';
import { helmClient, RELEASE } from './helm.ts';
import { apply, namespace } from './workload.ts';

/** The oldest Kubernetes that its project supports, and with `--all` the oldest that the chart does. Their control planes run alone: no pod can start, but all else is real. */
export function oldestKubernetes(): void {
  for (const version of kubernetesVersions().filter((version) => version !== '1.37')) {
    suite(`Kubernetes ${version}`, () => {
      test('takes the installation by both Helms, and an upgrade, a rollback and the end of it', async () => {
        // With this flag the API server looks for the webhook's endpoints itself and, finding none, calls nothing.
        const apiServerFlags = ['--enable-aggregator-routing=true'];
        const cluster = await startControlPlane({ version, apiServerFlags });
        try {
          await cluster.kubectl(['apply', '--server-side', `--filename=${await certManagerCrds()}`]);
          await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
          await apply(cluster, namespace('shop'));
          for (const name of HELMS) {
            const helm = helmClient(name, cluster.kubeconfig);
            // Nothing here takes namespaces away, so only the last one may bring one.
            await helm.install(...(name === 'helm-3' ? ['--set=sample.enabled=true'] : []));
            const { refusal } = await createPod(cluster.request, 'shop');
            assert.equal(refusal, undefined);
            await helm.upgrade('--reset-then-reuse-values', '--set=logLevel=debug');
            await helm.succeed('rollback', RELEASE, '1');
            await helm.succeed('uninstall', RELEASE);
          }
        } finally {
          await cluster.stop();
        }
      });
    });
  }
}
