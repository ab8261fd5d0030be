import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { CHART, HELMS } from '../../harness/chart/render.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { helmClient, RELEASE } from '../../harness/installation/helm.ts';
import { apply, namespace } from '../../harness/installation/workload.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { runJobs, usersOfJobs } from '../../harness/programs/job-runner.ts';

// docs/SECURITY.md says so: Helm deletes hooks that have run, and what it had created before one that can't be created stays.

const JOB = '--set=certificates.mode=job';
const POLICY = 'validatingadmissionpolicybinding/no-jobs';
const RIGHTS = 'serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings';

suite('a Job that the API server refuses', () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ users: usersOfJobs(HELMS) });
  });
  after(() => cluster.stop());

  for (const name of HELMS) {
    test(`leaves its rights until Helm runs again (${name})`, async () => {
      const helm = helmClient(name, cluster.kubeconfig, name);
      const rights = async (): Promise<number> => {
        const selector = '--selector=app.kubernetes.io/component=certificate';
        const names = await cluster.kubectl(['get', RIGHTS, `--namespace=${name}`, selector, '--output=name']);
        return names.split('\n').filter(Boolean).length;
      };
      await apply(cluster, namespace(name, {}), ...noJobs());
      const probe = ['create', 'job', 'probe', '--image=none', `--namespace=${name}`, '--dry-run=server'];
      await waitFor('the policy to be in force', () =>
        cluster.kubectl(probe).then(
          () => false,
          () => true,
        ),
      );
      const refused = await helm.run('install', RELEASE, CHART, JOB);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /no jobs here/);
      assert.equal(await rights(), 3);

      await cluster.kubectl(['delete', POLICY]);
      await waitFor('the policy to be gone', () => cluster.kubectl(probe));
      const jobs = runJobs(cluster, name);
      try {
        await helm.succeed('upgrade', '--install', RELEASE, CHART, JOB);
        assert.equal(await rights(), 0);
        await helm.uninstall();
      } finally {
        await jobs.stop();
      }
    });
  }
});

/** A policy that refuses every Job. */
function noJobs(): readonly unknown[] {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const metadata = { name: 'no-jobs' };
  const rule = { apiGroups: ['batch'], apiVersions: ['*'], operations: ['CREATE'], resources: ['jobs'] };
  const validations = [{ expression: 'false', message: 'no jobs here' }];
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: { matchConstraints: { resourceRules: [rule] }, validations },
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: 'no-jobs', validationActions: ['Deny'] },
    },
  ];
}
