import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createAuthority } from '../../src/webhook/certificate-authority.ts';
import { post } from '../harness/autoscrape/client.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { runs } from '../harness/length.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { registerAsTheChart, takesEffect } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

// A client CA of the webhook (`webhook.clientCA` of the chart), and an API server that is configured to have a certificate of it.

const SCRAPE = 'prometheus.io/scrape';

suite('a webhook that asks for the certificate of its client', () => {
  const authority = createAuthority({ name: 'client CA' });
  let folder: string;
  let cluster: ControlPlane;
  let webhook: WebhookProcess;
  const clientCa = () => join(folder, 'client-ca.crt');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'autoscrape-client-ca-'));
    await writeFile(clientCa(), authority.certificate);
    cluster = await startControlPlane({ apiServerFlags: [await admissionConfiguration(folder)] });
    webhook = await startWebhookProcess(cluster.directory, { flags: [`--client-ca-file=${clientCa()}`] });
    await registerAsTheChart(cluster, 'autoscrape', webhook);
    await cluster.kubectl(['create', 'namespace', 'shop']);
    await cluster.kubectl(['label', 'namespace', 'shop', 'autoscrape.io/inject=enabled']);
  });
  after(async () => {
    await cluster.stop();
    await rm(folder, { recursive: true });
  });

  /** Writes the files by which the API server has a certificate for every webhook, and returns its flag. */
  async function admissionConfiguration(directory: string): Promise<string> {
    const { certificate, key } = authority.issue({ names: ['kube-apiserver'], usage: 'client' });
    const kubeconfig = join(directory, 'webhooks.kubeconfig');
    const file = join(directory, 'admission.json');
    const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
    await writeFile(kubeconfig, JSON.stringify({ apiVersion: 'v1', kind: 'Config', users: [{ name: '*', user }] }));
    const apiVersion = 'apiserver.config.k8s.io/v1';
    const configuration = { apiVersion, kind: 'WebhookAdmissionConfiguration', kubeConfigFile: kubeconfig };
    const plugins = [{ name: 'MutatingAdmissionWebhook', configuration }];
    await writeFile(file, JSON.stringify({ apiVersion, kind: 'AdmissionConfiguration', plugins }));
    return `--admission-control-config-file=${file}`;
  }

  test('is called by an API server that has one, and pods are annotated', async () => {
    await takesEffect(cluster, 'shop', SCRAPE);
  });

  test('is not called by anyone without one', async () => {
    await assert.rejects(post(webhook, '{}'), /certificate|alert|ECONNRESET|hang up|disconnected/i);
  });

  // Connections that are open go on for up to a minute, so this is long.
  const skip = runs({ usually: 0, all: 1 }) === 0 && 'only with --all';
  test(
    'takes up another CA while it runs: then calls fail, and pods are created without annotations',
    { skip },
    async () => {
      const pod = {
        metadata: { generateName: 'pod-', labels: { 'autoscrape.io/port': '9464' } },
        spec: { containers: [{ name: 'app', image: 'none' }] },
      };
      const annotated = async () => {
        const { status, body } = await cluster.request('POST', '/api/v1/namespaces/shop/pods?dryRun=All', pod);
        assert.equal(status, 201, body.message);
        return body.metadata?.annotations?.[SCRAPE] === 'true';
      };
      await writeFile(clientCa(), createAuthority().certificate);
      await waitFor('calls to fail', async () => !(await annotated()), { seconds: 120, everyMs: 500 });
      await writeFile(clientCa(), authority.certificate);
      await waitFor('pods to be annotated again', annotated, { seconds: 60, everyMs: 500 });
    },
  );
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
