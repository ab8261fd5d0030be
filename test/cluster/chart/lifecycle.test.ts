import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { parseDocument } from 'yaml';
import { runCommand } from '../../../tools/command.ts';
import type { CommandResult } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { at, CHART, HELMS, list } from '../../harness/chart/render.ts';
import type { Helm } from '../../harness/chart/render.ts';

// What only a live cluster shows, and needs no node: what Helm looks up, keeps and leaves behind.

suite('on a cluster without cert-manager', () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane();
  });
  after(() => cluster.stop());

  for (const helm of HELMS) suite(helm, () => lifecycle(helm, () => cluster));
});

/** From a refused installation to one that leaves nothing behind. */
function lifecycle(helm: Helm, cluster: () => ControlPlane): void {
  const run = (...args: readonly string[]) => runHelm(cluster(), helm, args);
  const succeed = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await run(...args);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /conflict/i);
  };
  const certificates = ['--set', 'certificates.mode=helm'];
  const state = async () => {
    const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/autoscrape';
    const { body } = await cluster().request('GET', path);
    const [ca, leaf] = [await certificate(cluster(), helm, 'helm-ca'), await certificate(cluster(), helm, 'helm-tls')];
    const caBundle = Buffer.from(String(at(body, 'webhooks', 0, 'clientConfig', 'caBundle')), 'base64').toString();
    assert.equal(caBundle.trim(), ca.toString().trim());
    assert.ok(leaf.verify(ca.publicKey));
    return { ca: ca.fingerprint256, leaf: leaf.fingerprint256 };
  };

  test('the installation is refused, with what to install or to choose instead', async () => {
    const { code, stderr } = await run('install', 'autoscrape', CHART, '--create-namespace');
    assert.equal(code, 1);
    assert.match(stderr, /no cert-manager[^]*install cert-manager first[^]*certificates\.mode=helm/);
  });

  test('a cluster that is older than what the chart supports is refused, with both versions', async (t) => {
    const chart = await chartFor(t, '1.99');
    const { code, stderr } = await run('install', 'autoscrape', chart, '--create-namespace', ...certificates);
    assert.equal(code, 1);
    assert.match(stderr, /runs Kubernetes v1\.37\.[0-9]+, and autoscrape .* supports 1\.99 and newer/);
  });

  test('mode helm: the certificate stays as it is over upgrades and a rollback, and is renewed when told, under the same CA', async () => {
    await succeed('install', 'autoscrape', CHART, '--create-namespace', ...certificates);
    const first = await state();
    await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'webhook.timeoutSeconds=5');
    assert.deepEqual(await state(), first);
    await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'certificates.helm.renewal=soon');
    const renewed = await state();
    assert.equal(renewed.ca, first.ca);
    assert.notEqual(renewed.leaf, first.leaf);
    await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'certificates.helm.renewal=soon');
    assert.deepEqual(await state(), renewed);
    await succeed('rollback', 'autoscrape', '1');
    assert.deepEqual(await state(), first);
  });

  test("an upgrade is not in conflict with AKS's enforcer, which adds to the selectors what it misses there", async () => {
    await enforce(cluster());
    await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'webhook.timeoutSeconds=4');
  });

  test('with replicas null upgrades keep the number that is there, set by Helm or by others', async () => {
    const replicas = async () =>
      at(
        (await cluster().request('GET', `/apis/apps/v1/namespaces/${helm}/deployments/autoscrape-webhook`)).body,
        'spec',
        'replicas',
      );
    await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'webhook.replicas=3');
    const free = [...certificates, '--set', 'webhook.replicas=null'];
    await succeed('upgrade', 'autoscrape', CHART, ...free);
    assert.equal(await replicas(), 3);
    for (const number of [5, 0]) {
      await cluster().kubectl(['scale', 'deployment/autoscrape-webhook', '-n', helm, `--replicas=${number}`]);
      await succeed('upgrade', 'autoscrape', CHART, ...free);
      assert.equal(await replicas(), number);
    }
    await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'webhook.replicas=2', ...force(helm));
    assert.equal(await replicas(), 2);
  });

  test('after the emergency stop an upgrade brings webhook and reconciler back, by a chart with more values too', async (t) => {
    await succeed('upgrade', 'autoscrape', await olderChart(t), ...certificates, '--set', 'logLevel=debug');
    await cluster().kubectl(['delete', 'mutatingwebhookconfiguration', 'autoscrape']);
    await cluster().kubectl(['delete', 'deployment', 'autoscrape-reconciler', '-n', helm]);
    await succeed('upgrade', 'autoscrape', CHART, '--reset-then-reuse-values');
    await state();
    const { stdout } = await run('get', 'values', 'autoscrape');
    assert.match(stdout, /mode: helm[^]*logLevel: debug/);
    await cluster().kubectl(['get', 'deployment', 'autoscrape-reconciler', '-n', helm]);
  });

  test('nothing is left after uninstalling', async () => {
    await succeed('uninstall', 'autoscrape', '--wait');
    const kinds = (await cluster().kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n');
    const ours = ['-l', 'app.kubernetes.io/name=autoscrape', '-o', 'name'];
    const left = await cluster().kubectl(['get', kinds.join(','), '-A', '--ignore-not-found', ...ours]);
    assert.equal(left, '');
  });
}

/**
 * Stands in for the admissions enforcer of AKS: under its own field manager it adds two expressions to each webhook's
 * `namespaceSelector`, where they are missing (https://learn.microsoft.com/azure/aks/faq).
 */
async function enforce(cluster: ControlPlane): Promise<void> {
  const read = await cluster.kubectl(['get', 'mutatingwebhookconfiguration', 'autoscrape', '-o', 'json']);
  const webhooks = list(JSON.parse(read), 'webhooks').map((webhook) => {
    const has = list(webhook, 'namespaceSelector', 'matchExpressions');
    const added = ENFORCED.filter((wanted) => !has.some((requirement) => isDeepStrictEqual(requirement, wanted)));
    return { name: at(webhook, 'name'), namespaceSelector: { matchExpressions: [...has, ...added] } };
  });
  const patch = JSON.stringify({ webhooks });
  const flags = ['--type=strategic', '--field-manager=admissionsenforcer', `--patch=${patch}`];
  await cluster.kubectl(['patch', 'mutatingwebhookconfiguration', 'autoscrape', ...flags]);
}

const ENFORCED = [
  { key: 'control-plane', operator: 'NotIn', values: ['true'] },
  { key: 'kubernetes.azure.com/managedby', operator: 'NotIn', values: ['aks'] },
];

/** What takes a field back that somebody else has set: Helm 3 knows no owners. */
function force(helm: Helm): readonly string[] {
  return helm === 'helm' ? ['--force-conflicts'] : [];
}

/** A copy of the chart, which is removed after the test. */
async function copyOfChart(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'autoscrape-chart-'));
  t.after(() => rm(folder, { recursive: true }));
  await cp(CHART, folder, { recursive: true });
  return folder;
}

/** The chart, if `oldest` were the oldest Kubernetes that it supports. */
async function chartFor(t: TestContext, oldest: string): Promise<string> {
  const folder = await copyOfChart(t);
  const file = parseDocument(await readFile(join(folder, 'Chart.yaml'), 'utf8'));
  file.setIn(['annotations', 'autoscrape.io/oldest-kubernetes'], oldest);
  await writeFile(join(folder, 'Chart.yaml'), file.toString());
  return folder;
}

/** The chart as it was before it took `webhook.extraEnv`. */
async function olderChart(t: TestContext): Promise<string> {
  const folder = await copyOfChart(t);
  await rm(join(folder, 'values.schema.json'));
  const values = parseDocument(await readFile(join(folder, 'values.yaml'), 'utf8'));
  assert.ok(values.deleteIn(['webhook', 'extraEnv']));
  await writeFile(join(folder, 'values.yaml'), values.toString());
  return folder;
}

/** Runs Helm on the cluster, in a namespace that is called as the Helm is. */
async function runHelm(cluster: ControlPlane, helm: Helm, args: readonly string[]): Promise<CommandResult> {
  return runCommand(await component(helm), [...args, '--kubeconfig', cluster.kubeconfig, '-n', helm]);
}

/** The certificate in one of the chart's Secrets. */
async function certificate(cluster: ControlPlane, namespace: string, name: string): Promise<X509Certificate> {
  const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/secrets/autoscrape-${name}`);
  return new X509Certificate(Buffer.from(String(at(body, 'data', 'tls.crt')), 'base64'));
}
