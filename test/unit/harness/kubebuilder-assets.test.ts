import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { kubebuilderAssets } from '../../harness/build/kubebuilder-assets.ts';

const NEW = {
  'kube-apiserver': 'Kubernetes v1.36.1',
  etcd: 'etcd Version: 3.6.4\nGit SHA: 1234567',
  kubectl: 'Client Version: v1.36.1\nKustomize Version: v5.7.1',
};

test('the assets are the executables of the folder, with their versions', async (t) => {
  const folder = await executables(t, NEW);
  const assets = await kubebuilderAssets(folder);
  assert.equal(assets?.paths.get('kube-apiserver'), join(folder, 'kube-apiserver'));
  assert.equal(assets.versions, 'kube-apiserver 1.36.1, etcd 3.6.4, kubectl 1.36.1');
});

test('without the variable there are no assets', async () => {
  assert.equal(await kubebuilderAssets(''), undefined);
});

test('kubectl is optional, etcd and kube-apiserver are not', async (t) => {
  const { kubectl: _, ...rest } = NEW;
  const assets = await kubebuilderAssets(await executables(t, rest));
  assert.equal(assets?.paths.has('kubectl'), false);
  await assert.rejects(kubebuilderAssets(await executables(t, { etcd: NEW.etcd })), /has no kube-apiserver; unset it/);
});

for (const [name, output] of [
  ['kube-apiserver', 'Kubernetes v1.30.9'],
  ['etcd', 'etcd Version: 3.4.35'],
  ['kubectl', 'Client Version: v1.9.1'],
] as const) {
  test(`an older ${name} than the oldest supported one is refused`, async (t) => {
    const folder = await executables(t, { ...NEW, [name]: output });
    await assert.rejects(
      kubebuilderAssets(folder),
      new RegExp(`has ${name} [0-9.]+, and [0-9.]+ is the oldest that is supported`),
    );
  });
}

/** A folder of programs that print these texts. */
async function executables(t: TestContext, outputs: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'autoscrape-assets-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, output] of Object.entries(outputs)) {
    await writeFile(join(folder, name), `#!/bin/sh\nprintf '%s\\n' '${output}'\n`, { mode: 0o755 });
  }
  return folder;
}
