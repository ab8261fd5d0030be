import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { at, HELMS, list } from '../chart/render.ts';
import { runs } from '../length.ts';
import { waitFor } from '../process/wait-for.ts';
import type { Cluster } from './cluster.ts';
import { createPod } from './creations.ts';
import { helmClient, RELEASE } from './helm.ts';
import { CREATIONS, getSetup, waitUntilAnnotating } from './setup.ts';
import type { Setup } from './setup.ts';
import { apply, namespace, podsOf } from './workload.ts';

// As little as annotates a pod, so that nothing else is waited for.
const SMALL = ['--set=webhook.replicas=1', '--set=reconciler.enabled=false'];
const SECRETS = `/api/v1/namespaces/${RELEASE}/secrets`;

/** Where the webhook's certificate may come from; the default, cert-manager, is what all other steps use. */
export function certificates(): void {
  suite('certificates', () => {
    test('of an issuer of your own', async () => {
      const opened = await fresh();
      await apply(
        opened,
        certManagerObject('Issuer', 'self-signed', { selfSigned: {} }),
        certManagerObject('Certificate', 'company-ca', {
          isCA: true,
          commonName: 'Company CA',
          secretName: 'company-ca',
          privateKey: { algorithm: 'ECDSA' },
          issuerRef: { name: 'self-signed' },
        }),
        certManagerObject('Issuer', 'company', { ca: { secretName: 'company-ca' } }),
      );
      const mode = ['--set=certificates.mode=issuerRef', '--set=certificates.issuerRef.name=company'];
      await opened.helm.install(...SMALL, ...mode);
      await waitUntilAnnotating(opened);
      const leaf = await inSecret(opened, 'autoscrape-webhook-tls', 'tls.crt');
      assert.equal(new X509Certificate(leaf).issuer, 'CN=Company CA');
    });

    test('of a Secret that you bring, its CA given as a value or copied by cainjector', async () => {
      const opened = await fresh();
      const authority = createAuthority();
      const { certificate, key } = authority.issue({ names: [`autoscrape-webhook.${RELEASE}.svc`] });
      await apply(opened, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: 'mine',
          namespace: RELEASE,
          annotations: { 'cert-manager.io/allow-direct-injection': 'true' },
        },
        stringData: { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': authority.certificate },
      });
      const mine = [...SMALL, '--set=certificates.mode=existingSecret', '--set=certificates.existingSecret.name=mine'];
      const file = join(opened.directory, 'ca-of-mine.crt');
      await writeFile(file, authority.certificate);
      await opened.helm.install(...mine, `--set-file=certificates.caBundle=${file}`);
      await waitUntilAnnotating(opened);
      await opened.helm.uninstall();
      await opened.helm.install(...mine, '--set=certificates.existingSecret.injectCA=true');
      await waitUntilAnnotating(opened);
    });

    for (const name of runs({ usually: 1, all: 2 }) === 1 ? (['helm'] as const) : HELMS) {
      test(`made by Jobs: kept by an upgrade and a rollback, and made again under the same CA (${name})`, async () => {
        const opened = await fresh();
        const helm = helmClient(name, opened.kubeconfig);
        const mode = [...SMALL, '--set=certificates.mode=job'];
        await helm.install(...mode);
        await waitUntilAnnotating(opened);
        const made = await madeByJobs(opened);
        await helm.upgrade(...mode, '--set=webhook.timeoutSeconds=4');
        await helm.succeed('rollback', RELEASE, '1');
        assert.deepEqual(await madeByJobs(opened), made);

        await opened.kubectl(['delete', 'secret', `--namespace=${RELEASE}`, 'autoscrape-job-tls']);
        await helm.upgrade(...mode);
        const renewed = await madeByJobs(opened);
        assert.deepEqual([renewed.ca, renewed.trusted], [made.ca, made.trusted]);
        assert.notEqual(renewed.leaf, made.leaf);
        const end = Date.parse(new X509Certificate(renewed.leaf).validTo) / 1000;
        await waitFor('the running pod to serve it', async () => (await endOfServed(opened)) === end, {
          seconds: 150,
          everyMs: 1000,
        });
        assert.ok((await createPod(opened.request, CREATIONS)).annotated);
        await opened.helm.uninstall();
        // A pod of the webhook drains for a while after it.
        const ofRelease = ['get', `--namespace=${RELEASE}`, '--output=name'];
        assert.equal(await opened.kubectl([...ofRelease, 'jobs']), '');
        assert.equal(await opened.kubectl([...ofRelease, 'pods', '--selector=batch.kubernetes.io/job-name']), '');
      });
    }
  });
}

/** Returns the setup with nothing installed, and an empty namespace for the release. */
export async function fresh(): Promise<Setup> {
  const opened = await getSetup();
  await opened.helm.uninstall();
  await opened.kubectl(['delete', 'namespace', RELEASE, '--ignore-not-found', '--timeout=2m']);
  await apply(opened, namespace(RELEASE, {}));
  return opened;
}

function certManagerObject(kind: string, name: string, spec: unknown): unknown {
  return { apiVersion: 'cert-manager.io/v1', kind, metadata: { name, namespace: RELEASE }, spec };
}

async function inSecret({ request }: Cluster, name: string, key: string): Promise<string> {
  const { body } = await request('GET', `${SECRETS}/${name}`);
  return Buffer.from(String(at(body, 'data', key)), 'base64').toString();
}

async function madeByJobs(cluster: Cluster): Promise<{ ca: string; leaf: string; trusted: string }> {
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/autoscrape';
  const { body } = await cluster.request('GET', path);
  const [webhook] = list(body, 'webhooks');
  return {
    ca: await inSecret(cluster, 'autoscrape-job-ca', 'tls.crt'),
    leaf: await inSecret(cluster, 'autoscrape-job-tls', 'tls.crt'),
    trusted: String(at(webhook, 'clientConfig', 'caBundle')),
  };
}

/** When the certificate ends that the webhook's pod has loaded, as it says itself, in seconds since 1970. */
async function endOfServed({ request }: Cluster): Promise<number> {
  const [pod] = await podsOf(request, RELEASE, 'app.kubernetes.io/component=webhook');
  const path = `/api/v1/namespaces/${RELEASE}/pods/${pod?.name}:8080/proxy/metrics`;
  const { body } = await request<string>('GET', path);
  return Number(/^autoscrape_tls_certificate_not_after_timestamp_seconds (\S+)$/m.exec(body)?.[1]);
}
