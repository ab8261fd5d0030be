import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { test } from 'node:test';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { open } from './raw-socket.ts';
import { startWebhook } from './running-webhook.ts';

// What a stop does to connections. Nothing here cuts them off: `serve` does after 15 s.
const NEVER = new AbortController().signal;

const REVIEW = JSON.stringify(reviewOf(podWithMetrics()));
const HEAD = `POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${REVIEW.length}\r\n\r\n`;

/** Resolves when a server of this process has received the next request's headers. */
function requestStart(): Promise<void> {
  return new Promise((resolve) => {
    const channel = 'http.server.request.start';
    const onStart = (): void => {
      unsubscribe(channel, onStart);
      resolve();
    };
    subscribe(channel, onStart);
  });
}

test('silent and idle connections do not keep the webhook from closing', { timeout: 100_000 }, async () => {
  const webhook = await startWebhook();
  const silent = await open(webhook);
  const idle = await open(webhook);
  for (const socket of [silent, idle]) socket.on('error', () => {});
  idle.write(HEAD + REVIEW);
  await once(idle, 'data');
  await webhook.server.close(NEVER);
  // None of its own time limits has closed them.
  assert.doesNotMatch(await webhook.metrics(), /^autoscrape_[a-z_]*dropped_total\{.*\} [1-9]/m);
});

test('a request in flight is answered before the webhook closes, and its connection then closes', async () => {
  const webhook = await startWebhook(undefined, { isDraining: () => true });
  const socket = await open(webhook);
  let reply = '';
  socket.on('data', (data: Buffer) => (reply += data.toString()));
  const isReceived = requestStart();
  socket.write(HEAD + REVIEW.slice(0, 100));
  await isReceived;
  let isClosed = false;
  const closed = webhook.server.close(NEVER).then(() => (isClosed = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isClosed, false);
  socket.write(REVIEW.slice(100));
  await closed;
  assert.match(reply, /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*"allowed":true/i);
});
