import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { command, runCommand } from '../../../tools/command.ts';
import type { CommandResult } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { chartFor, olderChart } from '../../harness/chart/changed-chart.ts';
import { at, CHART, ciFiles, HELMS, list, render } from '../../harness/chart/render.ts';
import type { Helm } from '../../harness/chart/render.ts';
import { runs } from '../../harness/length.ts';
import { enforceAsAks } from '../../harness/programs/aks-enforcer.ts';
import { runJobs, usersOfJobs } from '../../harness/programs/job-runner.ts';
import type { JobRunner } from '../../harness/programs/job-runner.ts';

// What only a live cluster shows, and needs no node: what Helm looks up, keeps and leaves behind.

const JOB = ['--set', 'certificates.mode=job'];

suite('on a cluster without cert-manager', () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ users: usersOfJobs(HELMS) });
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
  const certificates = JOB;
  let jobs: JobRunner;
  before(() => {
    jobs = runJobs(cluster(), helm);
  });
  after(() => jobs.stop());
  // Each upgrade with Jobs takes seconds; what both Helms do alike is tried with one of them.
  const skip = helm === 'helm-3' && runs({ usually: 0, all: 1 }) === 0 && 'only with --all';
  const lastOutput = () => jobs.finished.at(-1)?.output ?? '';

  /** Asserts that what is served is trusted, and returns which certificates there are. */
  const state = async () => {
    const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/autoscrape';
    const { body } = await cluster().request('GET', path);
    const [ca, leaf] = [await certificate(cluster(), helm, 'job-ca'), await certificate(cluster(), helm, 'job-tls')];
    const webhooks = list(body, 'webhooks');
    assert.equal(webhooks.length, 3);
    for (const webhook of webhooks) {
      const caBundle = Buffer.from(String(at(webhook, 'clientConfig', 'caBundle')), 'base64').toString();
      assert.equal(caBundle, ca.toString());
    }
    assert.ok(leaf.checkHost(`autoscrape-webhook.${helm}.svc`) && leaf.verify(ca.publicKey));
    return { ca: ca.fingerprint256, leaf: leaf.fingerprint256 };
  };
  /** Names of the objects that the Jobs need while they run. */
  const rightsOfJobs = async () =>
    (
      await cluster().kubectl([
        'get',
        'serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,networkpolicies',
        '-n',
        helm,
        '--selector=app.kubernetes.io/component=certificate',
        '--output=name',
      ])
    ).trim();
  /** The release's objects in the whole cluster. */
  const ours = async () => {
    const kinds = (await cluster().kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n');
    const flags = ['-A', '--ignore-not-found', '-l', 'app.kubernetes.io/name=autoscrape', '-o', 'name'];
    const names = await cluster().kubectl(['get', kinds.join(','), ...flags]);
    return names.split('\n').filter(Boolean).toSorted();
  };
  const namesOfJobs = async () => (await cluster().kubectl(['get', 'jobs', '-n', helm, '-o', 'name'])).trim();

  test('the installation is refused, with what to install or to choose instead', async () => {
    const { code, stderr } = await run('install', 'autoscrape', CHART, '--create-namespace');
    assert.equal(code, 1);
    assert.match(stderr, /no cert-manager[^]*install cert-manager first[^]*certificates\.mode=job/);
  });

  test('a cluster that is older than what the chart supports is refused, with both versions', async (t) => {
    const chart = await chartFor(t, '1.99');
    const { code, stderr } = await run('install', 'autoscrape', chart, '--create-namespace', ...certificates);
    assert.equal(code, 1);
    assert.match(stderr, /runs Kubernetes v1\.37\.[0-9]+, and autoscrape .* supports 1\.99 and newer/);
  });

  for (const job of ['autoscrape-certificate', 'autoscrape-ca-bundle']) {
    test(`mode job: when ${job} fails, Helm fails, and no right is left, but the Job for its log`, async () => {
      jobs.fail(job);
      const { code, stderr } = await run('install', 'autoscrape', CHART, '--create-namespace', ...certificates);
      jobs.fail();
      assert.equal(code, 1);
      assert.match(stderr, /failed (pre|post)-install/);
      assert.equal(await rightsOfJobs(), '');
      assert.equal(await namesOfJobs(), `job.batch/${job}`);
      await succeed('uninstall', 'autoscrape', '--wait');
      await cluster().kubectl(['delete', 'jobs,secrets', '-n', helm, '-l', 'app.kubernetes.io/name=autoscrape']);
    });
  }

  test(
    'mode job: upgrades, a rollback and a new installation keep the certificate, and no key is in the release',
    { skip },
    async () => {
      const egress = ['-f', (await ciFiles()).get('job-certificate') ?? ''];
      await succeed('install', 'autoscrape', CHART, '--create-namespace', ...egress);
      const first = await state();
      await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'webhook.timeoutSeconds=5');
      await succeed('rollback', 'autoscrape', '1');
      await succeed('uninstall', 'autoscrape', '--wait');
      await succeed('install', 'autoscrape', CHART, ...certificates);
      assert.deepEqual(await state(), first);
      assert.equal(await rightsOfJobs(), '');
      assert.equal(await namesOfJobs(), '');
      const { stdout } = await run('get', 'all', 'autoscrape');
      assert.doesNotMatch(stdout, /tls\.key|PRIVATE KEY/);
    },
  );

  test(
    'mode job: a certificate whose Secret is gone is made again under the same CA, and without both Secrets all is new',
    { skip },
    async () => {
      const first = await state();
      await cluster().kubectl(['delete', 'secret', 'autoscrape-job-tls', '-n', helm]);
      await succeed('upgrade', 'autoscrape', CHART, ...certificates);
      const second = await state();
      assert.equal(second.ca, first.ca);
      assert.notEqual(second.leaf, first.leaf);
      await cluster().kubectl(['delete', 'secret', 'autoscrape-job-ca', 'autoscrape-job-tls', '-n', helm]);
      await succeed('upgrade', 'autoscrape', CHART, ...certificates);
      assert.notEqual((await state()).ca, first.ca);
    },
  );

  test(
    'mode job: after the emergency stop by a value, the CA is there again as soon as it ends',
    { skip },
    async () => {
      const before = await state();
      await succeed('upgrade', 'autoscrape', CHART, ...certificates, '--set', 'webhook.enabled=false');
      const gone = await cluster().kubectl(['get', 'mutatingwebhookconfigurations', '-o', 'name']);
      assert.equal(gone, '');
      await succeed('upgrade', 'autoscrape', CHART, ...certificates);
      assert.deepEqual(await state(), before);
    },
  );

  test('mode job: a Secret of that name that somebody else has made is not touched', { skip }, async () => {
    const label = ['label', 'secret', 'autoscrape-job-tls', '-n', helm];
    await cluster().kubectl([...label, 'app.kubernetes.io/managed-by=ops', '--overwrite']);
    const { code } = await run('upgrade', 'autoscrape', CHART, ...certificates);
    assert.equal(code, 1);
    assert.match(lastOutput(), /autoscrape-job-tls was not made by autoscrape/);
    await cluster().kubectl([...label, 'app.kubernetes.io/managed-by=autoscrape', '--overwrite']);
    await succeed('upgrade', 'autoscrape', CHART, ...certificates);
  });

  test("mode job: each Job's account may do no more than its Job does", async () => {
    const can = async (name: string, verb: string, ...what: readonly string[]) => {
      const as = `--as=system:serviceaccount:${helm}:autoscrape-${name}`;
      return cluster()
        .kubectl(['auth', 'can-i', verb, ...what, as, '-n', helm])
        .then((answer) => answer.trim() === 'yes')
        .catch(() => false);
    };
    const mayRead = async () =>
      Promise.all([
        can('certificate', 'get', 'secret/autoscrape-job-ca'),
        can('ca-bundle', 'patch', 'mutatingwebhookconfiguration/autoscrape'),
      ]);
    assert.deepEqual(await mayRead(), [false, false], 'after the Jobs');
    const rights = await rightsIn(helm);
    await cluster().kubectl(['apply', '-f', '-'], rights);
    assert.deepEqual(await mayRead(), [true, true], 'while they run');
    for (const [name, verb, what] of [
      ['certificate', 'get', 'secret/other'],
      ['certificate', 'list', 'secrets'],
      ['certificate', 'delete', 'secret/autoscrape-job-ca'],
      ['certificate', 'get', 'mutatingwebhookconfiguration/autoscrape'],
      ['ca-bundle', 'get', 'secret/autoscrape-job-tls'],
      ['ca-bundle', 'patch', 'mutatingwebhookconfiguration/other'],
      ['ca-bundle', 'patch', 'validatingwebhookconfiguration/autoscrape'],
      ['ca-bundle', 'create', 'mutatingwebhookconfigurations'],
      ['ca-bundle', 'delete', 'mutatingwebhookconfiguration/autoscrape'],
    ] as const) {
      assert.equal(await can(name, verb, what), false, `${name} ${verb} ${what}`);
    }
    await cluster().kubectl(['delete', '-f', '-'], rights);
  });

  test('mode job: after uninstalling only its Secrets are left', { skip }, async () => {
    await succeed('uninstall', 'autoscrape', '--wait');
    assert.deepEqual(await ours(), ['secret/autoscrape-job-ca', 'secret/autoscrape-job-tls']);
    await cluster().kubectl(['delete', 'secret', 'autoscrape-job-ca', 'autoscrape-job-tls', '-n', helm]);
  });

  // The rest runs no Jobs, which would take seconds at each upgrade.
  const secret = [
    '--set=certificates.mode=existingSecret,certificates.existingSecret.name=mine',
    `--set-string=certificates.caBundle=${createAuthority().certificate}`,
  ];

  test("an upgrade is not in conflict with AKS's enforcer, which adds to the selectors what it misses there", async () => {
    await succeed('install', 'autoscrape', CHART, ...secret);
    await enforceAsAks(cluster());
    await succeed('upgrade', 'autoscrape', CHART, ...secret, '--set', 'webhook.timeoutSeconds=4');
  });

  test('with replicas null upgrades keep the number that is there, set by Helm or by others', async () => {
    const replicas = async () =>
      at(
        (await cluster().request('GET', `/apis/apps/v1/namespaces/${helm}/deployments/autoscrape-webhook`)).body,
        'spec',
        'replicas',
      );
    await succeed('upgrade', 'autoscrape', CHART, ...secret, '--set', 'webhook.replicas=3');
    const free = [...secret, '--set', 'webhook.replicas=null'];
    await succeed('upgrade', 'autoscrape', CHART, ...free);
    assert.equal(await replicas(), 3);
    for (const number of [5, 0]) {
      await cluster().kubectl(['scale', 'deployment/autoscrape-webhook', '-n', helm, `--replicas=${number}`]);
      await succeed('upgrade', 'autoscrape', CHART, ...free);
      assert.equal(await replicas(), number);
    }
    await succeed('upgrade', 'autoscrape', CHART, ...secret, '--set', 'webhook.replicas=2', ...force(helm));
    assert.equal(await replicas(), 2);
  });

  test('after the emergency stop an upgrade brings webhook and reconciler back, by a chart with more values too', async (t) => {
    await succeed('upgrade', 'autoscrape', await olderChart(t), ...secret, '--set', 'logLevel=debug');
    await cluster().kubectl(['delete', 'mutatingwebhookconfiguration', 'autoscrape']);
    await cluster().kubectl(['delete', 'deployment', 'autoscrape-reconciler', '-n', helm]);
    await succeed('upgrade', 'autoscrape', CHART, '--reset-then-reuse-values');
    await cluster().kubectl(['get', 'mutatingwebhookconfiguration', 'autoscrape']);
    const { stdout } = await run('get', 'values', 'autoscrape');
    assert.match(stdout, /mode: existingSecret[^]*logLevel: debug/);
    await cluster().kubectl(['get', 'deployment', 'autoscrape-reconciler', '-n', helm]);
  });

  test('what GitOps renders is no difference from what Helm installed, and can be applied beside it', async () => {
    await succeed('upgrade', 'autoscrape', CHART, ...secret);
    const template = ['template', 'autoscrape', CHART, '-n', helm, '--no-hooks', ...secret];
    const manifests = await command(await component(helm), template);
    const flags = ['--server-side', '--field-manager=gitops', '-f', '-'];
    // `kubectl diff` ends with 1 where there is a difference.
    assert.equal(await cluster().kubectl(['diff', ...flags], manifests), '');
    await cluster().kubectl(['apply', ...flags], manifests);
    await succeed('upgrade', 'autoscrape', CHART, ...secret);
    assert.equal(await cluster().kubectl(['diff', ...flags], manifests), '');
  });

  test('nothing is left after uninstalling', async () => {
    await succeed('uninstall', 'autoscrape', '--wait');
    assert.deepEqual(await ours(), []);
  });
}

/** The accounts, roles and bindings of mode job's Jobs, for a release in this namespace, as objects that stay. */
async function rightsIn(namespace: string): Promise<string> {
  const objects = await render([...JOB, '-n', namespace]);
  const rights = objects.filter(
    ({ kind, object }) =>
      kind !== 'Job' && at(object, 'metadata', 'labels', 'app.kubernetes.io/component') === 'certificate',
  );
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: rights.map(({ object }) => object) });
}

/** What takes a field back that somebody else has set: Helm 3 knows no owners. */
function force(helm: Helm): readonly string[] {
  return helm === 'helm' ? ['--force-conflicts'] : [];
}

/** Runs Helm on the cluster, in a namespace that is called as the Helm is. */
async function runHelm(cluster: ControlPlane, helm: Helm, args: readonly string[]): Promise<CommandResult> {
  const waits = ['install', 'upgrade', 'rollback', 'uninstall'].includes(args[0] ?? '') ? ['--timeout=60s'] : [];
  return runCommand(await component(helm), [...args, ...waits, '--kubeconfig', cluster.kubeconfig, '-n', helm]);
}

/** The certificate in one of the chart's Secrets. */
async function certificate(cluster: ControlPlane, namespace: string, name: string): Promise<X509Certificate> {
  const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/secrets/autoscrape-${name}`);
  return new X509Certificate(Buffer.from(String(at(body, 'data', 'tls.crt')), 'base64'));
}
