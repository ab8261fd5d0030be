import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { servicePorts } from '../../../src/core/ask/service-ports.ts';
import { readAskedPod } from '../../../src/core/ask/asked-pod.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';

const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'));
const service = fc.record({ name: fc.string(), namespace: fc.constantFrom('x', 'y'), selector: labels });

test('the Services that may select a pod are all that do, in the order of the input', () => {
  fc.assert(
    fc.property(fc.array(service), labels, (written, podLabels) => {
      const objects = written.map(({ name, namespace, selector }) => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { selector, ports: [{ port: 80 }] },
      }));
      const { others } = readWorkloads(objects.map((value) => ({ value, line: 1 })));
      const pod = readAskedPod({ metadata: { labels: podLabels } });
      const inNamespace = objects.filter(({ metadata }) => metadata.namespace === 'x');
      const found = relate(others, '').services('x', pod.labels);
      assert.deepEqual(servicePorts(found, pod), servicePorts(inNamespace, pod));
    }),
  );
});

test('the Services of other pods are not looked at, so 3,000 Services cost each of 20,000 pods nothing', () => {
  const objects = ['till', 'shop'].map((app) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: app },
    spec: { selector: { app } },
  }));
  const { others } = readWorkloads(objects.map((value) => ({ value, line: 1 })));
  assert.deepEqual(relate(others, '').services('', new Map([['app', 'shop']])), objects.slice(1));
});
