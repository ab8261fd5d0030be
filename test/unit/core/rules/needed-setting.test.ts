import assert from 'node:assert/strict';
import test from 'node:test';
import { readPod } from '../../../../src/core/pod/pod.ts';
import { exampleOf, neededSettings } from '../../../../src/core/rules/needed-setting.ts';
import type { NeededSetting } from '../../../../src/core/rules/needed-setting.ts';
import { compilePattern } from '../../../../src/core/rules/re2-pattern.ts';
import { startWork } from '../../../../src/core/step-budget.ts';
import { defaultRules, readShipped } from '../../../../src/rules/shipped.ts';

function needed(container: object): readonly NeededSetting[] {
  const pod = readPod({ metadata: {}, spec: { containers: [{ name: 'app', ...container }] } });
  assert.ok(pod !== undefined);
  return neededSettings(pod, defaultRules());
}

test('an image that serves metrics only with a setting names the setting, and the port that it then has', () => {
  const image = 'quay.io/keycloak/keycloak:26.0';
  const ports = [{ name: 'management', containerPort: 9000 }];
  assert.deepEqual(needed({ image, ports }), [
    { container: 'app', setting: 'KC_METRICS_ENABLED=true', port: 9000, path: '/metrics' },
  ]);
  assert.deepEqual(needed({ image, ports, env: [{ name: 'KC_METRICS_ENABLED', value: 'true' }] }), []);
  assert.deepEqual(needed({ image, ports, args: ['--metrics-enabled=true'] }), []);
  assert.deepEqual(needed({ image: 'registry.example/app:1', ports }), []);
});

test('an image that needs several settings names those that are missing', () => {
  const image = 'miniflux/miniflux:2.2.0';
  const collector = { name: 'METRICS_COLLECTOR', value: '1' };
  const where = { container: 'app', port: 8080, path: '/metrics' };
  assert.deepEqual(needed({ image }), [{ ...where, setting: 'METRICS_COLLECTOR=1 and METRICS_ALLOWED_NETWORKS=10.…' }]);
  assert.deepEqual(needed({ image, env: [collector] }), [{ ...where, setting: 'METRICS_ALLOWED_NETWORKS=10.…' }]);
});

test('an image whose metrics need credentials names no setting: it would not help', () => {
  assert.deepEqual(needed({ image: 'unpackerr/unpackerr:v0.15.0' }), []);
});

for (const [pattern, example] of [
  ['(KC_METRICS_ENABLED|KEYCLOAK_ENABLE_STATISTICS)=true|--metrics-enabled=true', 'KC_METRICS_ENABLED=true'],
  ['--enable-metrics(=true)?', '--enable-metrics'],
  ['PROMETHEUS_PORT=.+', 'PROMETHEUS_PORT=…'],
  ['(?i)(GITEA|FORGEJO)__METRICS__ENABLED=true', 'GITEA__METRICS__ENABLED=true'],
  ['KAFKA_BRIDGE_METRICS_ENABLED=(?i:true)', 'KAFKA_BRIDGE_METRICS_ENABLED=true'],
  ['--server\\.http\\.address=(0\\.0\\.0\\.0|\\[::\\])?:\\d+', '--server.http.address=:…'],
  ['BEYLA_PROMETHEUS_PORT=[1-9][0-9]*', 'BEYLA_PROMETHEUS_PORT=…'],
] as const) {
  test(`an example of ${pattern}`, () => assert.equal(exampleOf(pattern), example));
}

test('the example of every shipped setting matches, once its … has a value', () => {
  const patterns = readShipped().images.flatMap(({ needs }) => needs ?? []);
  assert.ok(patterns.length > 50);
  for (const source of patterns) {
    const pattern = compilePattern(source);
    assert.ok(pattern.ok);
    const example = exampleOf(source).replaceAll('…', '9');
    assert.ok(pattern.value.matches(example, startWork()), `${source}: ${example}`);
  }
});
