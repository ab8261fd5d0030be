import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { readPod } from '../../../src/core/pod/pod.ts';
import { whyUnreadable } from '../../../src/explain/unreadable.ts';

const spec = { containers: [{ name: 'app' }] };

for (const [what, pod, sentences] of [
  [
    'values without quotes are named with their quotes',
    { metadata: { labels: { tier: 1 }, annotations: { 'prometheus.io/scrape': true, mine: 'x', empty: null } }, spec },
    [
      "The label tier is not a string: quote it, as in '1'.",
      "The annotation prometheus.io/scrape is not a string: quote it, as in 'true'.",
    ],
  ],
  [
    'a value that is a mapping has no quotes to give',
    { metadata: { annotations: { a: {} } }, spec },
    ['The annotation a is not a string.'],
  ],
  [
    'annotations that are a list',
    { metadata: { annotations: ['a'] }, spec },
    ['metadata.annotations is not a mapping.'],
  ],
  ['no containers', { metadata: {}, spec: { containers: [] } }, ['spec.containers is not a list of containers.']],
  [
    'ports that are a mapping',
    { metadata: {}, spec: { containers: [{ name: 'app', ports: { containerPort: 8080 } }] } },
    ['spec.containers[0].ports is not a list: begin each item with a dash.'],
  ],
  [
    "names without quotes, of a container, an image and a port, and a port that isn't named at all",
    {
      metadata: {},
      spec: {
        containers: [{ name: 'app' }, { name: 1, image: 2, ports: [{ name: 8080 }, 8080, { protocol: false }] }],
        initContainers: [{ name: 3 }],
      },
    },
    [
      "spec.containers[1].name is not a string: quote it, as in '1'.",
      "spec.containers[1].image is not a string: quote it, as in '2'.",
      "spec.containers[1].ports[0].name is not a string: quote it, as in '8080'.",
      'spec.containers[1].ports[1] is not a mapping.',
      "spec.containers[1].ports[2].protocol is not a string: quote it, as in 'false'.",
      "spec.initContainers[0].name is not a string: quote it, as in '3'.",
    ],
  ],
  [
    'a container that is a string, and init containers that are a mapping',
    { metadata: {}, spec: { containers: ['app'], initContainers: { name: 'setup' } } },
    ['spec.containers[0] is not a mapping.', 'spec.initContainers is not a list: begin each item with a dash.'],
  ],
  ['no spec', { metadata: {} }, ['spec is missing, or is not a mapping.']],
  ['no metadata', { spec }, ['metadata is missing, or is not a mapping.']],
  ['no template', undefined, ['The object has no pod template.']],
  ['nothing wrong', { metadata: {}, spec }, []],
] as const) {
  test(what, () => assert.deepEqual(whyUnreadable(pod), sentences));
}

test('whatever is unreadable has a sentence of its own', () => {
  const value = fc.oneof(fc.constantFrom(null, 'x', 1, true, [], {}), fc.jsonValue({ maxDepth: 1 }));
  const port = fc.oneof(fc.record({ name: value, protocol: value }, { requiredKeys: [] }), value);
  const container = fc.oneof(
    fc.record({ name: value, image: value, ports: fc.oneof(fc.array(port, { maxLength: 2 }), value) }),
    value,
  );
  const containers = fc.oneof(fc.array(container, { maxLength: 2 }), value);
  const pods = fc.record({
    metadata: fc.oneof(fc.record({ labels: value, annotations: value }, { requiredKeys: [] }), value),
    spec: fc.oneof(fc.record({ containers, initContainers: containers }, { requiredKeys: ['containers'] }), value),
  });
  fc.assert(
    fc.property(fc.oneof(pods, value), (pod) => {
      assert.equal(whyUnreadable(pod).length === 0, readPod(pod) !== undefined, JSON.stringify(pod));
    }),
    { numRuns: 5000 },
  );
});
