import { after, before, suite, test } from 'node:test';
import { command } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { kubernetesVersions } from '../../harness/length.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { certManagerCrds, prometheusOperatorCrds } from '../../harness/build/crds.ts';
import { CHART, ciFiles } from '../../harness/chart/render.ts';

// The chart's objects and real API servers: every branch is accepted.

const template = async (args: readonly string[]): Promise<string> =>
  command(await component('helm'), ['template', 'autoscrape', CHART, '-n', 'autoscrape', ...args]);

const files = await ciFiles();

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
  });
}
