import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeCaBundle } from '../../../src/commands/ca-bundle.ts';
import { makeCertificate } from '../../../src/commands/certificate.ts';
import { requestFailed } from '../../../src/commands/request-failed.ts';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { freePort } from '../../harness/process/free-port.ts';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';

test('a Job that reaches no API server names the value that opens the way', async (t) => {
  const folder = await temporaryFolder(t);
  const [kubeconfig, caFile] = [join(folder, 'kubeconfig'), join(folder, 'ca.crt')];
  const server = `https://127.0.0.1:${await freePort()}`;
  await writeFile(
    kubeconfig,
    JSON.stringify({
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      clusters: [{ name: 'test', cluster: { server } }],
      users: [{ name: 'test', user: {} }],
    }),
  );
  await writeFile(caFile, createAuthority().certificate);
  const jobs = [
    makeCertificate({ kubeconfig, namespace: 'autoscrape', secret: 'tls', caSecret: 'ca', names: 'webhook' }),
    writeCaBundle({ kubeconfig, configuration: 'autoscrape', caFile }),
  ];
  for (const job of jobs) {
    await assert.rejects(job, /^Error: Cannot read .*no answer from .*\n.*networkPolicy\.reconcilerEgress/);
  }
});

test('a Job that is refused says what the API server said, and nothing of networks', () => {
  const { message } = requestFailed('write Secret a/b', { status: 403, message: 'forbidden: quota' });
  assert.equal(message, 'Cannot write Secret a/b: forbidden: quota');
});
