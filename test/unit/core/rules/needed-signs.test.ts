import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decide } from '../../../../src/core/decide.ts';
import { readPod } from '../../../../src/core/pod/pod.ts';
import { evaluateRules } from '../../../../src/core/rules/evaluate-rules.ts';
import type { Rules } from '../../../../src/core/rules/rule.ts';
import { defaultRules } from '../../../../src/rules/shipped.ts';
import { readFixtures } from '../../../harness/pods/fixtures.ts';
import { hostilePods, validPods } from '../../../harness/pods/generated-pods.ts';
import { rulesOf } from './rules-of.ts';

/** Returns the rules without their signs: every rule is evaluated. */
function unfiltered(rules: Rules): Rules {
  return { ...rules, rules: rules.rules.map((rule) => ({ ...rule, signs: 0 })) };
}

test('skipping rules whose signs are absent changes no decision on the pods of the fixtures', () => {
  for (const { name, pod, rules, mesh } of readFixtures())
    assert.deepEqual(decide(pod, rules, { mesh }), decide(pod, unfiltered(rules), { mesh }), name);
});

test('skipping rules whose signs are absent changes no decision on generated pods', () => {
  const rules = defaultRules();
  const all = unfiltered(rules);
  fc.assert(
    fc.property(fc.oneof(validPods, hostilePods), (pod) => {
      const decision = decide(pod, rules);
      const reason = decision.outcome === 'skip' ? decision.reason : undefined;
      if (reason !== 'too_complex') assert.deepEqual(decision, decide(pod, all));
    }),
    { numRuns: 2000 },
  );
});

test('two thirds of the shipped rules are not evaluated in a container without a telling argument, variable, probe or image', () => {
  const rules = defaultRules();
  const container = { name: 'app', image: 'registry.example/app:1', ports: [{ name: 'http', containerPort: 8080 }] };
  const pod = readPod({ metadata: {}, spec: { containers: [container] } });
  assert.ok(pod);
  let evaluated = 0;
  const counting = rules.rules.map((rule) => ({
    ...rule,
    get when() {
      evaluated += 1;
      return rule.when;
    },
  }));
  evaluateRules(pod, { ...rules, rules: counting });
  assert.ok(evaluated * 3 < rules.rules.length, `${evaluated} of ${rules.rules.length} rules were evaluated`);
});

test('every rule of a file with more signs than a number has bits is evaluated', () => {
  const names = Array.from(
    { length: 80 },
    (_, i) => `x${String.fromCodePoint(97 + (i % 26), 97 + Math.floor(i / 26))}q`,
  );
  const rules = rulesOf(
    JSON.stringify({
      extends: 'none',
      rules: names.map((name) => ({ name, when: { argument: `--${name}=(?P<port>[0-9]+)` } })),
    }),
  );
  for (const name of names) {
    const container = { name: 'app', image: 'app', args: [`--${name}=9100`], ports: [{ containerPort: 9100 }] };
    const decision = decide({ metadata: {}, spec: { containers: [container] } }, rules);
    assert.equal(decision.outcome === 'annotate' ? decision.rule : decision.reason, name);
  }
});

function failToRead(): never {
  assert.fail('the variables were read, which is the dearest part of a decision');
}

test('no shipped rule reads the variables of a container whose variables have no telling names', () => {
  const rules = defaultRules();
  const env = Array.from({ length: 60 }, (_, i) => ({ name: `A_SETTING_NUMBER_${i}`, value: `value-${i}` }));
  const pod = readPod({ metadata: {}, spec: { containers: [{ name: 'app', image: 'registry.example/app:1', env }] } });
  const [container] = pod?.containers ?? [];
  assert.ok(pod && container);
  assert.equal(
    evaluateRules({ ...pod, containers: [{ ...container, environment: failToRead, assignments: failToRead }] }, rules)
      .kind,
    'nothing',
  );
});
