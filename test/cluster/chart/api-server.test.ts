import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { command } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { kubernetesVersions, runs } from '../../harness/length.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { certManagerCrds, prometheusOperatorCrds } from '../../harness/build/crds.ts';
import { CHART, ciFiles } from '../../harness/chart/render.ts';

// The chart's objects and real API servers: every branch is accepted, and stored as it is rendered.

const template = async (args: readonly string[]): Promise<string> =>
  command(await component('helm'), ['template', 'autoscrape', CHART, '-n', 'autoscrape', ...args]);

const files = await ciFiles();

const IS_LONG = runs({ usually: 0, all: 1 }) === 1;

/** Those with the most objects and fields. */
const SOME = new Set(['default', 'knobs', 'bridge', 'monitoring-fitted', 'egress']);

for (const version of kubernetesVersions()) {
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

    for (const [name, file] of version === '1.37' ? files : []) {
      const skip = !(IS_LONG || SOME.has(name)) && 'only with --all';
      test(
        `keeps every object of ${name} as it is rendered, so that a second manager sees no difference`,
        { skip },
        async () => {
          const manifests = await template(['--no-hooks', '-f', file]);
          // A Service's IP family can't be changed.
          await cluster.kubectl(['delete', 'services', '--all', '-n', 'autoscrape']);
          const apply = ['apply', '--server-side', '-f', '-', '--force-conflicts', '--field-manager=helm'];
          await cluster.kubectl(apply, manifests);
          // Without --force-conflicts, and it ends with 1 where there is a difference.
          const diff = await cluster.kubectl(['diff', '--server-side', '--field-manager=gitops', '-f', '-'], manifests);
          assert.equal(diff, '');
        },
      );
    }
  });
}
