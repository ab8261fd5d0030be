import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { MARKER_KEY } from '../../src/core/marker.ts';
import { command } from '../cluster/command.ts';
import { component } from '../cluster/components.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { certManagerCrds, prometheusOperatorCrds } from '../cluster/crds.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { CHART, ciFiles } from './render.ts';

// The chart's objects and real API servers: every branch is accepted, and the guard holds what it promises.

const template = async (args: readonly string[]): Promise<string> =>
  command(await component('helm'), ['template', 'autoscrape', CHART, '-n', 'autoscrape', ...args]);

const files = await ciFiles();

for (const version of ['1.37', '1.35'] as const) {
  suite(`kube-apiserver ${version}`, () => {
    let cluster: ControlPlane;
    before(async () => {
      cluster = await startControlPlane({
        version,
        // Two families, for the values that ask for IPv6.
        apiServerFlags: ['--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112'],
      });
      // A CRD of the Prometheus Operator is longer than the annotation that client-side apply would keep.
      for (const folder of [await certManagerCrds(), await prometheusOperatorCrds()]) {
        await cluster.kubectl(['apply', '--server-side', '-f', folder]);
      }
      await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
      for (const namespace of [
        'autoscrape',
        'autoscrape-verify',
        'autoscrape-platform-verify',
        'autoscrape-sample',
        'playground',
      ]) {
        await cluster.kubectl(['create', 'namespace', namespace]);
      }
    });
    after(() => cluster.stop());

    for (const [name, file] of files) {
      test(`accepts every object of ${name}, without a warning`, async () => {
        // `strict` refuses fields that the API server doesn't know.
        const flags = [
          '--dry-run=server',
          '--validate=strict',
          '--warnings-as-errors',
          '--server-side',
          '--force-conflicts',
        ];
        await cluster.kubectl(['apply', ...flags, '-f', '-'], await template(['-f', file]));
      });
    }

    suite('the guard', () => {
      const pod = '/api/v1/namespaces/shop/pods/pod';
      const reconciler = { 'impersonate-user': 'system:serviceaccount:autoscrape:autoscrape-reconciler' };
      const ours = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '80', [MARKER_KEY]: '{}' };

      before(async () => {
        const only = ['guard', 'rbac'].flatMap((name) => ['-s', `templates/reconciler/${name}.yaml`]);
        await cluster.kubectl(['apply', '-f', '-'], await template(only));
        await cluster.kubectl(['create', 'namespace', 'shop']);
        const created = await cluster.request('POST', '/api/v1/namespaces/shop/pods', {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            name: 'pod',
            labels: { app: 'shop' },
            annotations: { theirs: 'kept' },
            finalizers: ['example.com/hold'],
            ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: '1' }],
          },
          spec: { containers: [{ name: 'main', image: 'one' }] },
        });
        assert.equal(created.status, 201);
        // A policy takes a moment to act.
        await waitFor(
          'the guard',
          async () => (await patch({ labels: { app: 'other' } }, '?dryRun=All')).status === 422,
        );
      });

      const patch = (metadata: unknown, query = '', headers: Readonly<Record<string, string>> = reconciler) =>
        cluster.request('PATCH', `${pod}${query}`, { metadata }, headers);

      test('lets our annotations through: added, changed, removed', async () => {
        for (const annotations of [ours, { ...ours, 'prometheus.io/port': '81' }, { 'prometheus.io/port': null }]) {
          assert.equal((await patch({ annotations })).status, 200);
        }
        const { body } = await cluster.request('GET', pod);
        assert.deepEqual(body.metadata?.annotations, {
          theirs: 'kept',
          'prometheus.io/scrape': 'true',
          [MARKER_KEY]: '{}',
        });
      });

      const refused: Readonly<Record<string, readonly [unknown, RegExp]>> = {
        'a new annotation of another kind': [{ metadata: { annotations: { other: 'x' } } }, /annotations that aren't/],
        "a changed annotation of the user's": [
          { metadata: { annotations: { theirs: 'x' } } },
          /annotations that aren't/,
        ],
        "a removed annotation of the user's": [
          { metadata: { annotations: { theirs: null } } },
          /annotations that aren't/,
        ],
        'a near miss of our keys': [
          { metadata: { annotations: { 'prometheus.io/scrapes': 'x' } } },
          /annotations that aren't/,
        ],
        'ours together with another': [
          { metadata: { annotations: { ...ours, other: 'x' } } },
          /annotations that aren't/,
        ],
        'a new label': [{ metadata: { labels: { other: 'x' } } }, /labels/],
        'a removed label': [{ metadata: { labels: null } }, /labels/],
        'a new image': [{ spec: { containers: [{ name: 'main', image: 'two' }] } }, /spec/],
        'removed finalizers': [{ metadata: { finalizers: null } }, /finalizers/],
        'added finalizers': [{ metadata: { finalizers: ['example.com/hold', 'example.com/more'] } }, /finalizers/],
        'removed owners': [{ metadata: { ownerReferences: null } }, /owners/],
      };
      for (const [what, [body, says]] of Object.entries(refused)) {
        test(`refuses ${what}`, async () => {
          const answer = await cluster.request('PATCH', pod, body, reconciler);
          assert.equal(answer.status, 422, JSON.stringify(answer.body));
          assert.match(answer.body.message ?? '', says);
        });
      }

      test('refuses subresources even to one whom RBAC would let', async () => {
        await cluster.kubectl(
          ['apply', '-f', '-'],
          JSON.stringify({
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'ClusterRoleBinding',
            metadata: { name: 'too-much' },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
            subjects: [{ kind: 'ServiceAccount', name: 'autoscrape-reconciler', namespace: 'autoscrape' }],
          }),
        );
        const answer = await waitFor('the rights', async () => {
          const answered = await cluster.request('PATCH', `${pod}/status`, { status: { message: 'x' } }, reconciler);
          return answered.status === 403 ? undefined : answered;
        });
        assert.equal(answer.status, 422);
        assert.match(answer.body.message ?? '', /subresources/);
      });

      test('does not look at what others do', async () => {
        assert.equal((await patch({ labels: { other: 'x' }, annotations: { theirs: 'changed' } }, '', {})).status, 200);
      });
    });
  });
}
