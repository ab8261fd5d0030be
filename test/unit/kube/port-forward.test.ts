import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { forwardPort } from '../../../src/kube/port-forward.ts';
import { listenOnLoopback } from '../../harness/process/listen.ts';

// test/cluster/installation.test.ts, step doctor, forwards ports of a real kubelet.

const TARGET = { namespace: 'autoscrape', pod: 'webhook-1', port: 10250 };

async function configOf(t: TestContext, server: ReturnType<typeof createServer>): Promise<KubeConfig> {
  const config = new KubeConfig();
  const port = await listenOnLoopback(t, server);
  config.loadFromClusterAndUser(
    { name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'u', token: 'secret' },
  );
  return config;
}

test('an API server that refuses a port-forward rejects it with its status', async (t) => {
  let asked = '';
  const server = createServer().on('upgrade', (request, socket) => {
    asked = request.url ?? '';
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
  });
  await assert.rejects(forwardPort(await configOf(t, server), TARGET, 5000), /403/);
  assert.equal(asked, '/api/v1/namespaces/autoscrape/pods/webhook-1/portforward?ports=10250');
});

test('an API server that does not answer a port-forward rejects it when the time is over', async (t) => {
  const server = createServer().on('upgrade', (_, socket) => t.after(() => socket.destroy()));
  await assert.rejects(forwardPort(await configOf(t, server), TARGET, 100), /no connection within 0\.1 s/);
});
