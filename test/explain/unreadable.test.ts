import assert from 'node:assert/strict';
import test from 'node:test';
import { unreadableBecause } from '../../src/explain/unreadable.ts';

const spec = { containers: [{ name: 'app' }] };

for (const [what, pod, sentences] of [
  [
    'values without quotes are named with their quotes',
    { metadata: { labels: { tier: 1 }, annotations: { 'prometheus.io/scrape': true, mine: 'x', empty: null } }, spec },
    [
      "The label tier is not a text: write '1', in quotes.",
      "The annotation prometheus.io/scrape is not a text: write 'true', in quotes.",
    ],
  ],
  [
    'a value that is a mapping has no quotes to give',
    { metadata: { annotations: { a: {} } }, spec },
    ['The annotation a is not a text.'],
  ],
  [
    'annotations that are a list',
    { metadata: { annotations: ['a'] }, spec },
    ['metadata.annotations is not a mapping.'],
  ],
  ['no containers', { metadata: {}, spec: { containers: [] } }, ['spec.containers is not a list of containers.']],
  ['no spec', { metadata: {} }, ['spec is missing, or is not a mapping.']],
  ['no metadata', { spec }, ['metadata is missing, or is not a mapping.']],
  ['no template', undefined, ['There is no pod template where this kind has it.']],
  ['nothing wrong', { metadata: {}, spec }, []],
] as const) {
  test(what, () => assert.deepEqual(unreadableBecause(pod), sentences));
}
