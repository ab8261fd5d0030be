// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { startLoad } from '../../harness/autoscrape/load.ts';
import type { Load } from '../../harness/autoscrape/load.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { open } from '../webhook/raw-socket.ts';
import { startServe, temporaryFolder, writePair } from '../../harness/autoscrape/serving.ts';

// Calls follow one another here, so that a busy machine makes them late and never many at a time: those would run into the time
// limits of connections. test/cluster/stress makes 200 a second.
const CALLS = { callsPerSecond: 50, mostOpen: 4 };

/** Resolves when so many further calls have been answered, or were lost. */
async function furtherCalls(load: Load, count: number): Promise<void> {
  const end = load.ended() + count;
  await waitFor(`${count} calls`, () => load.ended() >= end, { seconds: 300 });
}

test('no call is lost when certificates change, and when one of two replicas stops', async (t) => {
  const authority = createAuthority();
  const certDir = await temporaryFolder(t);
  await writePair(authority, certDir);
  const [leaving, staying] = await Promise.all(
    // The first drains until the test has seen enough, and the other until a second has passed.
    ['300', '1'].map((seconds) => startServe(t, { authority, certDir, args: ['--drain-seconds', seconds] })),
  );
  assert.ok(leaving !== undefined && staying !== undefined);
  const endpoints = { ports: [leaving.port, staying.port] };
  const load = startLoad(endpoints, authority.certificate, CALLS);
  for (let swap = 0; swap < 3; swap++) {
    const before = await serialNumber(staying);
    await writePair(authority, certDir);
    await waitFor('the new certificate', async () => (await serialNumber(staying)) !== before, { seconds: 60 });
  }
  await furtherCalls(load, 20);

  leaving.kill('SIGTERM');
  await leaving.line(/"stopping"/);
  assert.deepEqual(await leaving.health('/readyz'), { status: 503, body: 'stopping\n' });
  assert.equal((await leaving.health('/livez')).status, 200);
  // The Service's endpoints follow a while later.
  await furtherCalls(load, 40);
  endpoints.ports = [staying.port];
  await furtherCalls(load, 20);
  const { lost, connections } = await load.stop();
  assert.deepEqual(lost, []);
  assert.ok((connections.get(leaving.port) ?? 0) > 0 && (connections.get(staying.port) ?? 0) > 0);

  staying.kill('SIGTERM');
  assert.equal(await staying.exited, 0);
  // A second signal stops at once.
  leaving.kill('SIGTERM');
  assert.equal(await leaving.exited, 1);
});

async function serialNumber(target: { port: number; ca: string }): Promise<string> {
  const socket = await open(target);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
