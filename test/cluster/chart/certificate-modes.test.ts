import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane, KubernetesVersion } from '../../harness/control-plane/control-plane.ts';
import { at, HELMS, list } from '../../harness/chart/render.ts';
import type { Helm } from '../../harness/chart/render.ts';
import { createPod } from '../../harness/installation/creations.ts';
import { helmClient, RELEASE } from '../../harness/installation/helm.ts';
import { inventory } from '../../harness/installation/inventory.ts';
import { apply, namespace } from '../../harness/installation/workload.ts';
import { runs } from '../../harness/length.ts';
import type { Daemon } from '../../harness/process/daemon.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { installCertManager } from '../../harness/programs/cert-manager.ts';
import { runJobs, usersOfJobs } from '../../harness/programs/job-runner.ts';

// A release from its installation to its end, in each way to a certificate: on API servers alone, where no pod starts, with
// cert-manager's controllers, and with a stand-in that runs Jobs. On a whole node cert-manager's own mode lives in
// harness/installation/lifecycle.ts.

/** One way to a certificate. */
interface Mode {
  readonly values: readonly string[];
  /** The Secret that the webhook serves from. */
  readonly secret: string;
  /** Objects that have to be there before, in the release's namespace. */
  readonly before?: (namespace: string) => readonly unknown[];
  /** A Secret that somebody else makes of them. */
  readonly waitsFor?: string;
  /** Secrets that stay after the release, as the README says. */
  readonly left: readonly string[];
}

const authority = createAuthority();

const MODES: Readonly<Record<string, Mode>> = {
  'cert-manager': {
    values: [],
    secret: 'autoscrape-webhook-tls',
    left: ['autoscrape-ca', 'autoscrape-webhook-tls'],
  },
  job: {
    values: ['--set=certificates.mode=job'],
    secret: 'autoscrape-job-tls',
    left: ['autoscrape-job-ca', 'autoscrape-job-tls'],
  },
  issuerRef: {
    values: ['--set=certificates.mode=issuerRef,certificates.issuerRef.name=company'],
    secret: 'autoscrape-webhook-tls',
    before: (of) => [
      certManagerObject(of, 'Issuer', 'self-signed', { selfSigned: {} }),
      certManagerObject(of, 'Certificate', 'company-ca', {
        isCA: true,
        commonName: 'Company CA',
        secretName: 'company-ca',
        issuerRef: { name: 'self-signed' },
      }),
      certManagerObject(of, 'Issuer', 'company', { ca: { secretName: 'company-ca' } }),
    ],
    // cert-manager makes it of these, some time later.
    waitsFor: 'company-ca',
    left: ['autoscrape-webhook-tls'],
  },
  existingSecret: {
    values: [
      '--set=certificates.mode=existingSecret,certificates.existingSecret.name=mine',
      `--set-string=certificates.caBundle=${authority.certificate}`,
    ],
    secret: 'mine',
    before: (of) => {
      const { certificate, key } = authority.issue({ names: [`autoscrape-webhook.${of}.svc`] });
      const metadata = { name: 'mine', namespace: of };
      return [{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { 'tls.crt': certificate, 'tls.key': key } }];
    },
    left: [],
  },
};

/** Which modes and Helms are tried on which Kubernetes: usually the newest with Helm 4, all else with `--all`. */
const TRIED: readonly (readonly [version: KubernetesVersion, modes: readonly string[], helms: readonly Helm[]])[] =
  runs({ usually: 0, all: 1 }) === 0
    ? [['1.37', Object.keys(MODES), ['helm']]]
    : [
        ['1.37', Object.keys(MODES), HELMS],
        ['1.35', ['cert-manager', 'job'], HELMS],
        ['1.31', ['cert-manager', 'job'], HELMS],
      ];

for (const [version, modes, helms] of TRIED) {
  suite(`a release's life on Kubernetes ${version}`, () => {
    let cluster: ControlPlane;
    let certManager: Daemon | undefined;
    before(async () => {
      cluster = await startControlPlane({
        version,
        users: usersOfJobs(modes.flatMap((mode) => helms.map((helm) => namespaceOf(mode, helm)))),
        // With this flag the API server looks for the webhook's endpoints itself and, finding none, calls nothing.
        apiServerFlags: ['--enable-aggregator-routing=true'],
      });
      certManager = await installCertManager(cluster);
      await apply(cluster, namespace('shop'));
    });
    after(async () => {
      await certManager?.stop();
      await cluster.stop();
    });

    for (const helm of helms) {
      for (const mode of modes) {
        test(`mode ${mode}, ${helm}: three upgrades and a rollback keep the certificate and its CA; the end leaves what the README says`, async () => {
          await live(cluster, mode, helm);
        });
      }
    }
  });
}

async function live(cluster: ControlPlane, name: string, helmName: Helm): Promise<void> {
  const mode = MODES[name];
  assert.ok(mode !== undefined);
  const of = namespaceOf(name, helmName);
  const helm = helmClient(helmName, cluster.kubeconfig, of);
  await apply(cluster, namespace(of, {}), ...(mode.before?.(of) ?? []));
  const secrets = `/api/v1/namespaces/${of}/secrets`;
  const { waitsFor } = mode;
  if (waitsFor !== undefined) {
    await waitFor(waitsFor, async () => (await cluster.request('GET', `${secrets}/${waitsFor}`)).status === 200);
  }
  const jobs = runJobs(cluster, of);
  try {
    const before = await inventory(cluster.request, of);
    await helm.install(...mode.values);
    const first = await waitFor('a certificate that is trusted', () => trusted(cluster, of, mode.secret), {
      seconds: 60,
    });
    assert.equal((await createPod(cluster.request, 'shop')).refusal, undefined);
    const unchanged = async (): Promise<void> => {
      assert.deepEqual(await trusted(cluster, of, mode.secret), first);
    };

    await helm.upgrade(...mode.values, '--set=webhook.timeoutSeconds=5');
    await unchanged();
    const more = '--set=logLevel=debug,webhook.replicas=3,webhook.excludedNamespaces={vault}';
    await helm.upgrade('--reset-then-reuse-values', more);
    await unchanged();
    await helm.upgrade(...mode.values, '--set-json=rules.rules=[{"name":"ours","when":{"portName":"telemetria"}}]');
    await unchanged();
    await helm.succeed('rollback', RELEASE, '2');
    await unchanged();
    assert.equal(await timeoutSeconds(cluster), 5);

    await helm.uninstall();
    const left = [...(await inventory(cluster.request, of))].filter((object) => !before.has(object));
    // What belongs to a Certificate the garbage collector removes, which is not there.
    assert.deepEqual(
      left.filter((object) => !object.startsWith('CertificateRequest ')),
      mode.left.map((secret) => `Secret ${of}/${secret}`),
    );
  } finally {
    await jobs.stop();
  }
}

/** Returns what is served and trusted; undefined until all webhooks trust the CA of the certificate that is served. */
async function trusted(
  cluster: ControlPlane,
  of: string,
  secret: string,
): Promise<{ readonly leaf: string; readonly caBundle: string } | undefined> {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${of}/secrets/${secret}`);
  if (status !== 200) return undefined;
  const leaf = new X509Certificate(Buffer.from(String(at(body, 'data', 'tls.crt')), 'base64'));
  const bundles = new Set((await webhooks(cluster)).map((webhook) => at(webhook, 'clientConfig', 'caBundle')));
  const [caBundle, other] = bundles;
  if (typeof caBundle !== 'string' || other !== undefined || bundles.size !== 1) return undefined;
  const ca = new X509Certificate(Buffer.from(caBundle, 'base64'));
  assert.ok(leaf.verify(ca.publicKey) && leaf.checkHost(`autoscrape-webhook.${of}.svc`));
  return { leaf: leaf.fingerprint256, caBundle };
}

async function webhooks(cluster: ControlPlane): Promise<readonly unknown[]> {
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/autoscrape';
  const found = list((await cluster.request('GET', path)).body, 'webhooks');
  assert.equal(found.length, 3);
  return found;
}

async function timeoutSeconds(cluster: ControlPlane): Promise<unknown> {
  return at((await webhooks(cluster))[0], 'timeoutSeconds');
}

function namespaceOf(mode: string, helm: Helm): string {
  return `${mode.toLowerCase()}-${helm}`;
}

function certManagerObject(of: string, kind: string, name: string, spec: unknown): unknown {
  return { apiVersion: 'cert-manager.io/v1', kind, metadata: { name, namespace: of }, spec };
}
