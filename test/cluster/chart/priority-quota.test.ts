import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { helmClient, RELEASE } from '../../harness/installation/helm.ts';
import { podsOf } from '../../harness/installation/workload.ts';
import { waitFor } from '../../harness/process/wait-for.ts';

// An API server that takes pods of a system-* priority class only in namespaces with a quota for them, as GKE's does
// (https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default).

const CLASS = 'system-cluster-critical';

suite('where a system priority class needs a quota', () => {
  let folder: string;
  let cluster: ControlPlane;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'autoscrape-priority-quota-'));
    const file = join(folder, 'admission.json');
    await writeFile(file, JSON.stringify(admissionConfiguration()));
    cluster = await startControlPlane({
      controllerManager: true,
      apiServerFlags: [`--admission-control-config-file=${file}`],
    });
  });
  after(async () => {
    await cluster.stop();
    await rm(folder, { recursive: true });
  });

  test('a namespace without one takes no such pod', async () => {
    const spec = { priorityClassName: CLASS, containers: [{ name: 'app', image: 'none' }] };
    const pod = { metadata: { name: 'refused' }, spec };
    const { status, body } = await cluster.request('POST', '/api/v1/namespaces/default/pods', pod);
    assert.notEqual(status, 201);
    assert.match(body.message ?? '', /insufficient quota to match these scopes/);
  });

  test("the chart's quota lets its own pods in", async () => {
    await helmClient('helm', cluster.kubeconfig).install(
      '--set=certificates.mode=existingSecret,certificates.existingSecret.name=mine',
      `--set-string=certificates.caBundle=${createAuthority().certificate}`,
      `--set=webhook.priorityClassName=${CLASS},reconciler.priorityClassName=system-node-critical`,
    );
    await waitFor('three pods', async () => {
      const pods = await podsOf(cluster.request, RELEASE, 'app.kubernetes.io/name=autoscrape');
      return pods.length === 3;
    });
  });
});

function admissionConfiguration(): unknown {
  const apiVersion = 'apiserver.config.k8s.io/v1';
  const values = [CLASS, 'system-node-critical'];
  const limited = { resource: 'pods', matchScopes: [{ scopeName: 'PriorityClass', operator: 'In', values }] };
  const configuration = { apiVersion, kind: 'ResourceQuotaConfiguration', limitedResources: [limited] };
  return { apiVersion, kind: 'AdmissionConfiguration', plugins: [{ name: 'ResourceQuota', configuration }] };
}
