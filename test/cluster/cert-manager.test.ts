import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { installCertManager } from '../harness/programs/cert-manager.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import type { Daemon } from '../harness/process/daemon.ts';
import { waitFor } from '../harness/process/wait-for.ts';

const namespace = 'certificates';
const certificates = `/apis/cert-manager.io/v1/namespaces/${namespace}/certificates`;
const webhooks = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

const object = (kind: string, name: string, spec: unknown): unknown => ({
  apiVersion: 'cert-manager.io/v1',
  kind,
  metadata: { name, namespace },
  spec,
});

const issuerRef = (name: string): unknown => ({ name, kind: 'Issuer' });

suite('cert-manager', () => {
  let cluster: ControlPlane;
  let certManager: Daemon | undefined;
  before(async () => {
    cluster = await startControlPlane();
    certManager = await installCertManager(cluster);
    await cluster.kubectl(['create', 'namespace', namespace]);
  });
  after(async () => {
    await certManager?.stop();
    await cluster.stop();
  });

  const secretOf = async (certificate: string): Promise<Record<string, string>> => {
    await waitFor(`certificate ${certificate} to be ready`, async () => {
      const { body } = await cluster.request<{ status?: { conditions?: { type: string; status: string }[] } }>(
        'GET',
        `${certificates}/${certificate}`,
      );
      return body.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    });
    const { body } = await cluster.request<{ data: Record<string, string> }>(
      'GET',
      `/api/v1/namespaces/${namespace}/secrets/${certificate}`,
    );
    return body.data;
  };

  test('issues a certificate authority from a self-signed issuer, and a certificate from that', async () => {
    const objects = [
      object('Issuer', 'self-signed', { selfSigned: {} }),
      object('Certificate', 'authority', {
        isCA: true,
        commonName: 'authority',
        secretName: 'authority',
        issuerRef: issuerRef('self-signed'),
      }),
      object('Issuer', 'authority', { ca: { secretName: 'authority' } }),
      object('Certificate', 'leaf', {
        secretName: 'leaf',
        dnsNames: ['webhook.certificates.svc'],
        issuerRef: issuerRef('authority'),
      }),
    ];
    await cluster.kubectl(['apply', '--filename=-'], objects.map((each) => JSON.stringify(each)).join('\n'));
    const { 'tls.crt': leaf = '', 'ca.crt': ca = '' } = await secretOf('leaf');
    const authority = new X509Certificate(Buffer.from(ca, 'base64'));
    const certificate = new X509Certificate(Buffer.from(leaf, 'base64'));
    assert.ok(certificate.verify(authority.publicKey));
    assert.equal(certificate.subjectAltName, 'DNS:webhook.certificates.svc');
  });

  test('writes the authority into a webhook configuration that asks for it', async () => {
    const { 'ca.crt': ca } = await secretOf('leaf');
    await cluster.request('POST', webhooks, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'injected', annotations: { 'cert-manager.io/inject-ca-from': `${namespace}/leaf` } },
      webhooks: [
        {
          name: 'webhook.certificates.svc',
          clientConfig: { service: { name: 'webhook', namespace } },
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          failurePolicy: 'Ignore',
        },
      ],
    });
    const injected = await waitFor('caBundle to be injected', async () => {
      const { body } = await cluster.request<{ webhooks: { clientConfig: { caBundle?: string } }[] }>(
        'GET',
        `${webhooks}/injected`,
      );
      return body.webhooks[0]?.clientConfig.caBundle;
    });
    assert.equal(injected, ca);
  });
});
