import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIVE_KINDS, readObjectNames } from '../../../src/live/object-names.ts';

/** Returns the objects as `Kind/name`, the sentence that refuses them, or undefined. */
function read(...words: readonly string[]): readonly string[] | string | undefined {
  const names = readObjectNames(words);
  if (names === undefined) return undefined;
  return names.ok ? names.value.map(({ kind, name }) => `${kind.kind}/${name ?? '*'}`) : names.error;
}

test("every kind is taken by kubectl's short name, its own, its plural, and with its group", () => {
  for (const { kind, plural, short, apiVersion } of LIVE_KINDS) {
    const [group, version] = apiVersion.split('/');
    const words = [short, kind, kind.toLowerCase(), plural];
    if (version !== undefined) words.push(`${plural}.${group}`, `${plural}.${version}.${group}`);
    for (const word of words) assert.deepEqual(read(`${word}/shop`), [`${kind}/shop`], word);
  }
  assert.equal(typeof read('deploy.extensions/shop'), 'string');
});

test('objects are named as kubectl has it: kind/name, a kind and names, several kinds', () => {
  assert.deepEqual(read('deploy/shop', 'po/shop-1'), ['Deployment/shop', 'Pod/shop-1']);
  assert.deepEqual(read('sts', 'db', 'cache'), ['StatefulSet/db', 'StatefulSet/cache']);
  assert.deepEqual(read('deploy,cj'), ['Deployment/*', 'CronJob/*']);
});

test('what is no object is left to be a file, and what nearly is one gets a sentence', () => {
  for (const word of ['-', 'shop.yaml', 'k8s/', 'k8s/base', 'deploy/shop.yaml', './deploy', 'manifests'])
    assert.equal(read(word), undefined, word);
  assert.match(String(read('rollout/shop')), /none of the kinds .*\(deploy, .*kubectl get rollout\/shop -o yaml/);
  assert.match(String(read('ns/shop')), /autoscrape explain -n shop reads a namespace/);
  assert.match(String(read('deploy/shop', 'b.yaml')), /^b\.yaml: give files or objects .* not both/);
  assert.match(String(read('deploy', 'sts/db')), /give names below one kind/);
});
