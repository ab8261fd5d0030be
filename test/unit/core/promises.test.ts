import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { applyPatch } from '../../harness/autoscrape/verify-answer.ts';
import { isWrittenKey, writtenKeys } from '../../../src/core/annotations/removable-keys.ts';
import { MARKER_KEY, readMarker } from '../../../src/core/annotations/marker.ts';
import { decide } from '../../../src/core/decide.ts';
import { readPod } from '../../../src/core/pod/pod.ts';
import { REASONS } from '../../../src/core/skip-reason.ts';
import { renderPatch } from '../../../src/core/patch.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';
import { hostilePods, ROWS, rowOf, validPods } from '../../harness/pods/generated-pods.ts';
import { remembered, sharedRuns } from '../../harness/pods/remembered.ts';

// The most important promise: our answer never makes the API server reject a valid pod.

const RULES = defaultRules();
const withHttps = parseRules('https: true', readShipped());
// Every shipped rule only hints.
const allHints = parseRules(
  JSON.stringify({
    extends: 'none',
    rules: RULES.effective.rules.map((rule) => (rule.exclude ? rule : { ...rule, continue: undefined, confirm: true })),
  }),
  readShipped(),
);
assert.ok(withHttps.ok && allHints.ok);
const HINTS = allHints.value.rules;
const ALL = parseRules('{ endpoints: all, https: true }', readShipped());
assert.ok(ALL.ok);
const EVERYTHING = parseRules(
  '{ endpoints: all, https: true, dialects: [grafana, datadog, dynatrace, opentelemetry] }',
  readShipped(),
);
assert.ok(EVERYTHING.ok);
const WRITTEN = writtenKeys(RULES.annotationKeys);
const DIALECTS = EVERYTHING.value.rules;
const RULE_SETS = [RULES, withHttps.value.rules, HINTS, ALL.value.rules, DIALECTS] as const;

// Each promise is checked on all of them. Another run of the tests makes others: a failure prints its seed.
const cases = remembered(
  fc.record({
    pod: fc.oneof(validPods, hostilePods),
    around: fc.record({ mesh: fc.boolean(), ask: fc.boolean() }),
    set: fc.constantFrom(...RULE_SETS),
    hintOrNot: fc.constantFrom(RULES, HINTS),
  }),
);
const runs = sharedRuns(3000);

function apply(object: unknown, patch: ReturnType<typeof renderPatch>): unknown {
  // An independent implementation of RFC 6902, which validates as the API server's does: missing parents are errors.
  return applyPatch(object, patch);
}

function annotationsOf(object: unknown): Record<string, unknown> {
  const { metadata } = object as { metadata?: { annotations?: Record<string, unknown> | null } };
  return metadata?.annotations ?? {};
}

test('decide returns a decision for any JSON value and never throws', () => {
  fc.assert(
    fc.property(cases, ({ pod, around, set }) => {
      const decision = decide(pod, set, around);
      assert.ok(decision.outcome === 'annotate' || decision.reason in REASONS);
    }),
    runs,
  );
});

test('every patch applies and only adds annotations that the pod did not have', () => {
  fc.assert(
    fc.property(cases, ({ pod, around, set }) => {
      const decision = decide(pod, set, around);
      const patch = renderPatch(pod, decision);
      assert.equal(patch.length > 0, decision.outcome === 'annotate');
      assert.equal(new Set(patch.map(({ path }) => path)).size, patch.length, 'a path twice');
      if (decision.outcome === 'skip') return;
      const before = annotationsOf(pod);
      const after = apply(pod, patch);
      for (const [key, text] of Object.entries(decision.annotations)) {
        assert.ok(!Object.hasOwn(before, key), `${key} was there`);
        assert.equal(typeof text, 'string');
      }
      assert.deepEqual(annotationsOf(after), { ...before, ...decision.annotations });
    }),
    runs,
  );
});

test('a patch keeps everything that the user wrote, byte for byte', () => {
  fc.assert(
    fc.property(cases, ({ pod, around }) => {
      const decision = decide(pod, RULES, around);
      if (decision.outcome === 'skip') return;
      const after = apply(pod, renderPatch(pod, decision)) as { metadata: { annotations?: Record<string, unknown> } };
      const ours = new Set(Object.keys(decision.annotations));
      const kept = Object.fromEntries(Object.entries(annotationsOf(after)).filter(([key]) => !ours.has(key)));
      const original = pod as { metadata: { annotations?: unknown } };
      const restored = {
        ...after,
        metadata: {
          ...after.metadata,
          annotations: Object.hasOwn(original.metadata, 'annotations') ? kept : undefined,
        },
      };
      if (original.metadata.annotations === null) restored.metadata.annotations = null as never;
      assert.equal(JSON.stringify(sorted(restored)), JSON.stringify(sorted(original)));
    }),
    runs,
  );
});

test('decide skips a pod that it has annotated', () => {
  fc.assert(
    fc.property(cases, ({ pod, around, set }) => {
      const decision = decide(pod, set, around);
      if (decision.outcome === 'skip') return;
      const again = decide(apply(pod, renderPatch(pod, decision)), set, around);
      assert.equal(again.outcome, 'skip', JSON.stringify(decision));
    }),
    runs,
  );
});

test('dialects change nothing of what is written without them, but for pods that their authors have annotated', () => {
  fc.assert(
    fc.property(cases, ({ pod, around }) => {
      const without = decide(pod, ALL.value.rules, around);
      const decision = decide(pod, DIALECTS, around);
      if (without.outcome === 'skip') {
        if (decision.outcome === 'annotate') assert.equal(without.reason, 'already_annotated');
        else assert.deepEqual(decision, without);
        return;
      }
      assert.ok(decision.outcome === 'annotate');
      const plain = Object.fromEntries(
        Object.entries(decision.annotations).filter(([key]) => Object.hasOwn(without.annotations, key)),
      );
      const { [MARKER_KEY]: marker, ...others } = plain;
      const { [MARKER_KEY]: markerBefore, ...othersBefore } = without.annotations;
      assert.deepEqual(others, othersBefore);
      assert.equal(marker === undefined, markerBefore === undefined);
      if (marker !== undefined) {
        const { [MARKER_KEY]: _, ...added } = decision.annotations;
        assert.deepEqual(readMarker(marker), { rule: decision.rule, added });
      }
    }),
    { ...runs, numRuns: 1500 },
  );
});

test('decide writes only keys that are valid and values that scrapers can read, and keeps the annotations 4 KiB below 256 KiB', () => {
  fc.assert(
    fc.property(cases, ({ pod, around, set }) => {
      const decision = decide(pod, set, around);
      if (decision.outcome === 'skip') return;
      const {
        'prometheus.io/port': port,
        'prometheus.io/scheme': scheme,
        'prometheus.io/path': path,
      } = decision.annotations;
      if (port !== undefined) assert.match(port, /^[1-9][0-9]{0,4}$/);
      if (scheme !== undefined) assert.ok(scheme === 'https' && set.https && !around.mesh);
      if (path !== undefined) assert.match(path, /^\//);
      for (const [key, text] of Object.entries(decision.annotations)) {
        // Some keys are made from words of the pod.
        assert.match(key, /^[a-z0-9][-a-z0-9.]{0,251}[a-z0-9]\/[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/);
        assert.ok(isWrittenKey(WRITTEN, key), `${key} could not be removed again`);
        const field = /^prometheus\.io\/(?<field>port|path|scheme)-[2-8]$/.exec(key)?.groups?.['field'];
        if (field === undefined) continue;
        assert.ok(set.endpoints === 'all' && !around.mesh);
        assert.match(text, field === 'port' ? /^[1-9][0-9]{0,4}$/ : field === 'path' ? /^\// : /^https$/);
      }
      const all = Object.entries({ ...annotationsOf(pod), ...decision.annotations });
      const bytes = all.reduce((sum, [key, text]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(text)), 0);
      assert.ok(bytes <= 252 * 1024);
    }),
    runs,
  );
});

test('asking leaves decisions by hints to the reconciler, and changes no other decision', () => {
  fc.assert(
    fc.property(cases, ({ pod, around: { mesh }, hintOrNot: set }) => {
      const without = decide(pod, set, { mesh });
      const asking = decide(pod, set, { mesh, ask: true });
      if (without.outcome === 'annotate' && without.confirm)
        assert.deepEqual(asking, { outcome: 'skip', reason: 'to_be_asked', rule: without.rule, warnings: [] });
      else assert.deepEqual(asking, without);
    }),
    runs,
  );
});

test('asking changes no decision in an Istio mesh', () => {
  fc.assert(
    fc.property(cases, ({ pod }) => {
      const decision = decide(pod, HINTS, { mesh: true, ask: true });
      // The pod's own label sidecar.istio.io/inject may say that it is in no mesh.
      if (isMeshedByLabel(pod)) assert.deepEqual(decision, decide(pod, HINTS, { mesh: true }));
    }),
    runs,
  );
});

function isMeshedByLabel(pod: unknown): boolean {
  const read = readPod(pod);
  return read !== undefined && read.labels.get('sidecar.istio.io/inject') !== 'false';
}

test('the generated pods reach every row that a valid pod can reach', () => {
  const rows = new Map<string, number>();
  for (const pod of fc.sample(validPods, { numRuns: 4000, seed: 7 })) {
    const row = rowOf(pod, RULES);
    rows.set(row, (rows.get(row) ?? 0) + 1);
  }
  // mesh_https needs a mesh around the pod.
  for (const row of ROWS.filter((name) => name !== 'mesh_https')) {
    assert.ok((rows.get(row) ?? 0) >= 40, `${row}: ${rows.get(row) ?? 0} of 4000`);
  }
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}
