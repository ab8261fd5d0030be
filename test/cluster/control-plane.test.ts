import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { isRunning } from '../../tools/process-id.ts';
import { waitFor } from '../harness/process/wait-for.ts';

const pod = (name: string): unknown => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'none' }] },
});
const pods = '/api/v1/namespaces/default/pods';

suite('a control plane without a controller manager', () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ audit: 'Metadata', users: { reader: ['readers'] } });
  });
  after(() => cluster.stop());

  test('creates a pod by a raw request and returns what it stored', async () => {
    const { status, body } = await cluster.request('POST', pods, pod('raw'));
    assert.equal(status, 201);
    assert.equal(body.metadata?.name, 'raw');
    assert.match(body.metadata.uid ?? '', /^[0-9a-f-]{36}$/);
  });

  test('stores nothing in a dry run', async () => {
    assert.equal((await cluster.request('POST', `${pods}?dryRun=All`, pod('dry'))).status, 201);
    assert.equal((await cluster.request('GET', `${pods}/dry`)).status, 404);
  });

  test('keeps its data over a restart of the API server', async () => {
    await cluster.request('POST', pods, pod('kept'));
    await cluster.restartApiServer();
    assert.equal((await cluster.request('GET', `${pods}/kept`)).status, 200);
  });

  test('refuses connections while the API server is stopped', async () => {
    await cluster.stopApiServer();
    await assert.rejects(cluster.request('GET', '/readyz'), { code: 'ECONNREFUSED' });
    await cluster.startApiServer();
    assert.equal((await cluster.request('GET', '/readyz')).status, 200);
  });

  test('gives a further user no rights of its own', async () => {
    const asReader = { authorization: `Bearer ${cluster.tokenOf('reader')}` };
    const { status, body } = await cluster.request('GET', pods, undefined, asReader);
    assert.equal(status, 403);
    assert.match(body.message ?? '', /^pods is forbidden: User "reader"/);
  });

  test('patches by JSON Patch or by merge patch, as the body says', async () => {
    await cluster.request('POST', pods, pod('patched'));
    const list = await cluster.request('PATCH', `${pods}/patched`, [
      { op: 'add', path: '/metadata/annotations', value: { a: '1' } },
    ]);
    const merged = await cluster.request('PATCH', `${pods}/patched`, { metadata: { annotations: { b: '2' } } });
    assert.deepEqual([list.status, merged.status], [200, 200]);
    assert.deepEqual(merged.body.metadata?.annotations, { a: '1', b: '2' });
  });

  test("runs kubectl as administrator and throws with kubectl's complaint", async () => {
    const named = await cluster.kubectl(['create', '--filename=-', '--output=name'], JSON.stringify(pod('by-kubectl')));
    assert.equal(named, 'pod/by-kubectl\n');
    await assert.rejects(cluster.kubectl(['get', 'pod', 'missing']), /pods "missing" not found/);
  });

  test('writes down who asked for what', async () => {
    await cluster.request('POST', `${pods}?dryRun=All`, pod('audited'));
    const event = await waitFor('the audit event', async () =>
      (await cluster.auditEvents()).findLast(({ verb }) => verb === 'create'),
    );
    assert.equal(event.user.username, 'admin');
    assert.equal(event.requestURI, `${pods}?dryRun=All`);
  });
});

test('with a controller manager a Deployment becomes pods with a service account token', async () => {
  const cluster = await startControlPlane({ controllerManager: true });
  try {
    await cluster.kubectl(['create', 'deployment', 'app', '--image=none', '--replicas=2']);
    const items = await waitFor('two pods', async () => {
      const { body } = await cluster.request<{ items: { spec: { serviceAccountName: string } }[] }>('GET', pods);
      return body.items.length === 2 && body.items;
    });
    assert.deepEqual(
      items.map(({ spec }) => spec.serviceAccountName),
      ['default', 'default'],
    );
  } finally {
    await cluster.stop();
  }
});

test('Kubernetes 1.35 starts too', async () => {
  const cluster = await startControlPlane({ version: '1.35' });
  try {
    const { body } = await cluster.request<{ gitVersion: string }>('GET', '/version');
    assert.match(body.gitVersion, /^v1\.35\.\d+$/);
  } finally {
    await cluster.stop();
  }
});

test('stopping leaves no process and no folder', async () => {
  const cluster = await startControlPlane({ controllerManager: true });
  const pids = pidsIn(cluster.directory);
  assert.deepEqual(pids.map(isRunning), [true, true, true]);
  await cluster.stop();
  assert.deepEqual(pids.map(isRunning), [false, false, false]);
  assert.equal(existsSync(cluster.directory), false);
});

test('a start that fails says why, with the end of the log, and leaves nothing', async () => {
  await assert.rejects(startControlPlane({ apiServerFlags: ['--no-such-flag'] }), /unknown flag: --no-such-flag/);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  const leaves = signal === 'SIGKILL' ? 'no process' : 'no process and no folder';
  test(`a test process ended by ${signal} leaves ${leaves}`, async () => {
    const script = `
      import { startControlPlane } from ${JSON.stringify(new URL('../harness/control-plane/control-plane.ts', import.meta.url).href)};
      process.stdout.write((await startControlPlane()).directory);
      setInterval(() => undefined, 1000);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [directory]: string[] = (await once(child.stdout, 'data')).map(String);
    assert.ok(directory);
    const pids = pidsIn(directory);
    assert.deepEqual(pids.map(isRunning), [true, true]);
    child.kill(signal);
    const [, by] = await once(child, 'exit');
    assert.equal(by, signal);
    await waitFor('its processes to be gone', () => !pids.some(isRunning), { seconds: 5 });
    if (signal === 'SIGKILL') rmSync(directory, { recursive: true });
    else assert.equal(existsSync(directory), false);
  });
}

function pidsIn(directory: string): number[] {
  const files = readdirSync(directory).filter((file) => file.endsWith('.pid'));
  return files.map((file) => Number(readFileSync(join(directory, file), 'utf8')));
}
