import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import {
  BY_LABEL,
  choiceOf,
  judgeNamespace,
  judgePod,
  labelChanges,
  MANAGED_LABELS,
  podSelector,
  SYSTEM_NAMESPACES,
} from '../../../src/core/pod-selectors.ts';
import { parseSelector, selectorText } from '../../../src/core/rules/selector-text.ts';
import { satisfies } from '../../../src/core/rules/selector.ts';
import type { LabelRequirement } from '../../../src/core/rules/selector.ts';

const key = fc.constantFrom('team', 'env', 'autoscrape.io/inject', 'example.com/tier');
const value = fc.constantFrom('shop', 'prod', 'enabled', 'true', 'x.y-z_1');
const values = fc.uniqueArray(value, { minLength: 1, maxLength: 3 });
const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('In' as const, 'NotIn' as const), values }),
  fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
);
const labels = fc.dictionary(key, value).map((entries) => new Map<string, string>(Object.entries(entries)));

function judge(name: string, entries: Readonly<Record<string, string>>, selectors = BY_LABEL) {
  return judgeNamespace(selectors, name, new Map(Object.entries(entries)))?.optIn;
}

test('by the label a namespace is opted in, is not, or has a value that means neither', () => {
  assert.equal(judge('web', { 'autoscrape.io/inject': 'enabled' }), 'yes');
  assert.equal(judge('web', { 'autoscrape.io/inject': 'true' }), 'yes');
  assert.equal(judge('web', { 'autoscrape.io/inject': 'disabled' }), 'no');
  assert.equal(judge('web', {}), 'no');
  assert.equal(judge('web', { 'autoscrape.io/inject': 'Enabled' }), 'unknown');
});

test("the cluster's own namespaces are left out whatever their labels, and by their names alone", () => {
  for (const name of SYSTEM_NAMESPACES) {
    assert.equal(judge(name, { 'autoscrape.io/inject': 'enabled' }), 'never');
    assert.equal(judgeNamespace(BY_LABEL, name, undefined)?.optIn, 'never');
  }
  for (const [label, managed] of MANAGED_LABELS)
    assert.equal(judge('web', { 'autoscrape.io/inject': 'enabled', [label]: managed }), 'never');
});

test('of a namespace whose labels are not known only its name is judged', () => {
  assert.equal(judgeNamespace(BY_LABEL, 'web', undefined), undefined);
  const named = [
    podSelector({ namespaces: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop'] }] }),
  ];
  assert.equal(judgeNamespace(named, 'web', undefined)?.optIn, 'no');
  assert.equal(judgeNamespace(named, 'shop', undefined), undefined);
  assert.equal(judge('shop', {}, named), 'yes');
});

test('a value of the label means nothing where the selectors do not look at it', () => {
  const teams = [podSelector({ namespaces: [{ key: 'team', operator: 'In', values: ['shop'] }] })];
  assert.equal(judge('web', { 'autoscrape.io/inject': 'Enabled' }, teams), 'no');
  assert.equal(judge('web', { 'autoscrape.io/inject': 'enabled' }, teams), 'no');
});

test('a pod is judged by those selectors that select its namespace', () => {
  const [web, shop] = ['web', 'shop'].map((team) =>
    podSelector({
      namespaces: [{ key: 'team', operator: 'In', values: [team] }],
      pods: [{ key: 'tier', operator: 'In', values: [team] }],
    }),
  );
  assert.ok(web !== undefined && shop !== undefined);
  const pod = new Map([['tier', 'web']]);
  const inTeam = (team: string) => judgePod([web, shop], { name: 'n', labels: new Map([['team', team]]) }, pod)?.unmet;
  assert.deepEqual(inTeam('web'), []);
  assert.deepEqual(inTeam('shop'), [{ key: 'tier', operator: 'In', values: ['shop'] }]);
  assert.deepEqual(judgePod([web, shop], { name: 'n', labels: undefined }, pod)?.unmet, []);
  assert.deepEqual(judgePod([web], { name: 'n', labels: new Map() }, new Map())?.unmet.length, 1);
  // Of those that don't select the namespace the one that is nearest with the pod: both have to be changed for the same.
  assert.equal(judgePod([shop, web], { name: 'n', labels: new Map() }, pod)?.selector, web);
});

test('a namespace is opted in where the labels satisfy all that one selector demands, as Kubernetes has it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(requirement, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      labels,
      (all, of) => {
        const selectors = all.map((namespaces) => podSelector({ namespaces }));
        const isSelected = all.some((one) => satisfies(of, one));
        assert.equal(judgeNamespace(selectors, 'web', of)?.optIn === 'yes', isSelected);
      },
    ),
  );
});

test('the labels that are to be changed meet the requirements, and are none where they are met', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 5 }), labels, (requirements, before) => {
      const changes = labelChanges(requirements, before);
      if (changes === undefined) {
        // Then no value of any label does.
        const names: readonly string[] = ['team', 'env', 'autoscrape.io/inject', 'example.com/tier'];
        const some: readonly string[] = ['shop', 'prod', 'enabled', 'true', 'x.y-z_1', 'other'];
        assert.ok(
          names.some((name) => {
            const ofKey = requirements.filter((one) => one.key === name);
            return (
              !satisfies(new Map(), ofKey) &&
              !some.some((one) => satisfies(new Map<string, string>([[name, one]]), ofKey))
            );
          }),
        );
        return;
      }
      const after = new Map(before);
      for (const [name, changed] of changes) {
        if (changed === undefined) after.delete(name);
        else after.set(name, changed);
      }
      assert.ok(satisfies(after, requirements));
      if (satisfies(before, requirements)) assert.equal(changes.size, 0);
    }),
  );
});

test("a namespace's name can't be changed by a label", () => {
  const named = [{ key: 'kubernetes.io/metadata.name', operator: 'In' as const, values: ['shop'] }];
  assert.equal(labelChanges(named, new Map([['kubernetes.io/metadata.name', 'web']])), undefined);
});

test('what somebody has chosen differs from what the chart always demands', () => {
  assert.deepEqual(choiceOf(podSelector({ excluded: ['old'] })), { namespaces: undefined, pods: undefined });
  fc.assert(
    fc.property(fc.array(requirement, { minLength: 1, maxLength: 3 }), labels, (namespaces, of) => {
      const [chosen, again] = [podSelector({ namespaces }), podSelector(choiceOf(podSelector({ namespaces })))];
      assert.equal(judgeNamespace([again], 'web', of)?.optIn, judgeNamespace([chosen], 'web', of)?.optIn);
    }),
  );
});

test('a selector that is written as text is read back as the same', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, of) => {
      const parsed = parseSelector(selectorText(requirements));
      assert.ok(parsed.ok);
      assert.equal(satisfies(of, parsed.value.requirements), satisfies(of, requirements));
    }),
  );
});
