// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { post } from '../../harness/autoscrape/client.ts';
import { startServe, temporaryFolder, writePair } from '../../harness/autoscrape/serving.ts';
import { waitFor } from '../../harness/process/wait-for.ts';

test('a certificate that changes while the client CA is still being read is the one that is served', async (t) => {
  const [authority, later, clients] = [createAuthority(), createAuthority(), createAuthority()];
  const [certDir, folder] = [await temporaryFolder(t), await temporaryFolder(t)];
  await writePair(authority, certDir);
  const clientCa = join(folder, 'ca.crt');
  execFileSync('mkfifo', [clientCa]);
  const starting = startServe(t, { authority: later, certDir, args: [`--client-ca-file=${clientCa}`] });
  // To open it fails until serve reads it (fifo(7)).
  const pipe = await waitFor('serve to read the client CA', () =>
    open(clientCa, constants.O_WRONLY | constants.O_NONBLOCK),
  );
  // What is read again later is no pipe.
  await writeFile(join(folder, 'file'), clients.certificate);
  await rename(join(folder, 'file'), clientCa);
  await writePair(later, certDir);
  // Longer than the watch waits for further changes. Where that is too short, this tests nothing, and passes.
  await sleep(500);
  await pipe.write(clients.certificate);
  await pipe.close();
  const serving = await starting;
  const { certificate: cert, key } = clients.issue({ names: ['kube-apiserver'], usage: 'client' });
  const { status } = await post(serving, JSON.stringify(reviewOf(podWithMetrics())), { tls: { cert, key } });
  assert.equal(status, 200);
  assert.deepEqual(
    serving.lines.filter((line) => /a bug/.test(line)),
    [],
  );
});

test('a changed client CA is taken, and a damaged one counted: the last valid one stays in use', async (t) => {
  const [first, second] = [createAuthority(), createAuthority()];
  const folder = await temporaryFolder(t);
  const write = async (ca: string) => {
    await writeFile(join(folder, 'new'), ca);
    await rename(join(folder, 'new'), join(folder, 'ca.crt'));
  };
  await write(first.certificate);
  const serving = await startServe(t, { args: [`--client-ca-file=${join(folder, 'ca.crt')}`] });
  const answersClientOf = async ({ issue }: typeof first) => {
    const { certificate: cert, key } = issue({ names: ['kube-apiserver'], usage: 'client' });
    assert.equal((await post(serving, JSON.stringify(reviewOf(podWithMetrics())), { tls: { cert, key } })).status, 200);
  };
  const reloads = async (result: string) => {
    const { body } = await serving.health('/metrics');
    return Number(new RegExp(`^autoscrape_tls_reload_total\\{result="${result}"\\} ([0-9]+)$`, 'm').exec(body)?.[1]);
  };
  await write(second.certificate.slice(0, 200));
  await serving.line(/"client CA not reloaded: the last valid one stays in use"/);
  assert.ok((await reloads('error')) >= 1);
  await answersClientOf(first);
  await write(second.certificate);
  await serving.line(/"client CA reloaded"/);
  assert.equal(await reloads('success'), 1);
  await answersClientOf(second);
});
