// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { post } from '../../harness/autoscrape/client.ts';
import { startLoad } from '../../harness/autoscrape/load.ts';
import { open } from '../webhook/raw-socket.ts';
import { startServe, temporaryFolder, writePair } from '../../harness/autoscrape/serving.ts';

// Each test has processes of its own and mostly waits for them, so they run at the same time.
suite('serve, when it stops or its certificate changes', { concurrency: true }, () => {
  test('no call is lost when one of two replicas stops', async (t) => {
    const authority = createAuthority();
    const [leaving, staying] = await Promise.all(
      [1, 2].map(() => startServe(t, { authority, args: ['--drain-seconds', '5'] })),
    );
    assert.ok(leaving !== undefined && staying !== undefined);
    const endpoints = { ports: [leaving.port, staying.port] };
    const load = startLoad(endpoints, authority.certificate, 50);
    await sleep(1000);
    leaving.kill('SIGTERM');
    await leaving.line(/"stopping"/);
    assert.deepEqual(await leaving.health('/readyz'), { status: 503, body: 'stopping\n' });
    assert.equal((await leaving.health('/livez')).status, 200);
    // The Service's endpoints follow a while later.
    await sleep(1000);
    endpoints.ports = [staying.port];
    assert.equal(await leaving.exited, 0);
    await sleep(500);
    const { calls, lost, connections } = await load.stop();
    assert.deepEqual(lost, []);
    assert.ok(calls > 150, `${calls} calls`);
    assert.ok((connections.get(leaving.port) ?? 0) > 0 && (connections.get(staying.port) ?? 0) > 0);
  });

  test('no call is lost when certificates change under load, and new connections get the new one', async (t) => {
    const authority = createAuthority();
    const certDir = await temporaryFolder(t);
    await writePair(authority, certDir);
    const serving = await startServe(t, { authority, certDir });
    const load = startLoad({ ports: [serving.port] }, authority.certificate, 50);
    for (let swap = 0; swap < 5; swap++) {
      const before = await serialNumber(serving);
      await writePair(authority, certDir);
      for (let tries = 0; (await serialNumber(serving)) === before; tries++) {
        assert.ok(tries < 200, 'the new certificate is not used');
        await sleep(50);
      }
    }
    const { lost } = await load.stop();
    assert.deepEqual(lost, []);
  });

  test('silent connections do not keep the process from stopping', async (t) => {
    const serving = await startServe(t);
    const silent = await open(serving);
    silent.on('error', () => {});
    const idle = await open(serving);
    idle.on('error', () => {});
    const review = JSON.stringify(reviewOf(podWithMetrics()));
    const head = `POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${review.length}`;
    idle.write(`${head}\r\n\r\n${review}`);
    await serving.line(/"review"/);
    const began = performance.now();
    serving.kill('SIGINT');
    assert.equal(await serving.exited, 0);
    assert.ok(performance.now() - began < 10_000, 'it waited for them'); // their own time limits are 4 s and 110 s; ours to close 15 s
  });

  test('a request in flight is answered before the process stops', async (t) => {
    const serving = await startServe(t);
    const body = JSON.stringify(reviewOf(podWithMetrics()));
    const socket = await open(serving);
    let reply = '';
    socket.on('data', (data: Buffer) => (reply += data.toString()));
    socket.write(
      `POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 100));
    await sleep(300);
    serving.kill('SIGINT');
    await serving.line(/"stopping"/);
    await sleep(300);
    socket.write(body.slice(100));
    assert.equal(await serving.exited, 0);
    assert.match(reply, /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*"allowed":true/i);
  });

  test('a second signal stops at once', async (t) => {
    const serving = await startServe(t, { args: ['--drain-seconds', '300'] });
    serving.kill('SIGTERM');
    await serving.line(/"stopping"/);
    await post(serving, JSON.stringify(reviewOf(podWithMetrics())));
    serving.kill('SIGTERM');
    assert.equal(await serving.exited, 1);
  });
});

async function serialNumber(target: { port: number; ca: string }): Promise<string> {
  const socket = await open(target);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
