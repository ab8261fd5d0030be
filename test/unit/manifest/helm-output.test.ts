import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifestsInHelmOutput } from '../../../src/manifest/helm-output.ts';
import { parseManifest } from '../../../src/manifest/parse.ts';

const HOOK = '---\n# Source: shop/templates/test.yaml\nkind: Pod\n';
const MANIFEST = '---\n# Source: shop/templates/app.yaml\nkind: Deployment\n';
const NOTES = 'NOTES:\n1. Get the URL: run\n  kubectl get svc {{ odd }}\n';
const HEAD =
  'NAME: shop\nLAST DEPLOYED: Sat Nov 28 00:00:00 2026\nNAMESPACE: shop\nSTATUS: pending-install\nREVISION: 1\n';

function linesOf(text: string): [kind: unknown, line: number][] {
  const manifests = manifestsInHelmOutput(text);
  assert.ok(manifests.ok);
  const { documents, problems } = parseManifest(manifests.value);
  assert.deepEqual(problems, []);
  return documents.map(({ value, line }) => [Object.values(value ?? {})[0], line]);
}

test('of helm install --dry-run the hooks and the manifests are read, each at its own line', () => {
  const text = `${HEAD}TEST SUITE: None\nUSER-SUPPLIED VALUES:\nkey: [\n\nHOOKS:\n${HOOK}MANIFEST:\n${MANIFEST}\n${NOTES}`;
  const lineOf = (line: string): number => text.split('\n').indexOf(line) + 1;
  assert.deepEqual(linesOf(text), [
    ['Pod', lineOf('kind: Pod')],
    ['Deployment', lineOf('kind: Deployment')],
  ]);
});

test('notes after manifests are left out, also with lines that end as on Windows', () => {
  assert.deepEqual(linesOf(`${MANIFEST}${NOTES}`), [['Deployment', 3]]);
  assert.deepEqual(linesOf(`${MANIFEST}${NOTES}`.replaceAll('\n', '\r\n')), [['Deployment', 3]]);
});

test('helm status has no manifests, and is answered with the command that has', () => {
  const status = manifestsInHelmOutput(`${HEAD}${NOTES}`);
  assert.ok(!status.ok && status.error.includes('helm get manifest RELEASE'));
});

test('any other text stays as it is', () => {
  const text = `${MANIFEST}data:\n  NOTES: |\n    NOTES:\n    HOOKS:\nNAME: shop\n`;
  assert.deepEqual(manifestsInHelmOutput(text), { ok: true, value: text });
});
