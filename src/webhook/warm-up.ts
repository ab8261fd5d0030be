import { Agent, request } from 'node:https';
import type { RequestOptions } from 'node:https';
import { pino } from 'pino';
import { Registry } from '@prometheus-io/client';
import type { Rules } from '../core/rules/parse.ts';
import type { Pair } from './certificate-files.ts';
import { answerReview } from './handler.ts';
import { createWebhookMetrics } from './metrics.ts';
import { createWebhookServer } from './server.ts';

/**
 * Reviews that are answered: a fifth of a second of CPU. With 150 V8 optimises more before the first call, which then takes 9 ms and
 * not 13, and the webhook is ready 0.1 s later.
 */
const REVIEWS = 60;

/** Milliseconds after which no further one is, and none is waited for: something may drop what is sent to the loopback interface. */
const MAX_MS = 1_000;

/**
 * Answers reviews over TLS, on a server of its own at the loopback interface, so that the code is loaded and compiled before the
 * API server calls: otherwise the first review takes ten times as long as later ones. Nothing of them is logged or counted.
 * Never throws: a process that could not warm up works, too.
 */
export async function warmUp(pair: Pair, rules: Rules): Promise<void> {
  const metrics = createWebhookMetrics(new Registry());
  const log = pino({ base: null }, { write() {} });
  const handler = { rules: () => rules, observe: false, ask: false, log, metrics };
  const server = createWebhookServer({
    pair,
    tlsMinVersion: '1.3',
    answer: (call) => answerReview(handler, call),
    isDraining: () => false,
    log,
    metrics,
  });
  // Nothing secret is sent, and to this process; its certificate may have expired.
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const end = AbortSignal.timeout(MAX_MS);
  try {
    const port = await server.listen('127.0.0.1', 0);
    for (let index = 0; index < REVIEWS && !end.aborted; index++)
      await call({ port, agent, signal: end }, REVIEWS_OF_PODS[index % REVIEWS_OF_PODS.length] ?? '');
  } catch {
    // Warm or not, the webhook can serve.
  } finally {
    agent.destroy();
    await server.close(AbortSignal.abort());
  }
}

/** A pod that the first rules find, and one for which all of them are evaluated. */
const REVIEWS_OF_PODS = [
  { ports: [{ name: 'metrics', containerPort: 9464 }], args: ['--log-level=info'], env: [{ name: 'A', value: 'b' }] },
  { ports: [{ name: 'http', containerPort: 8080 }], livenessProbe: { httpGet: { path: '/healthz', port: 8080 } } },
].map((container) =>
  JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: 'warm-up',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      operation: 'CREATE',
      namespace: 'default',
      object: {
        metadata: { generateName: 'app-', labels: { app: 'app' }, annotations: {}, managedFields: [{ fieldsV1: {} }] },
        spec: { containers: [{ name: 'app', image: 'registry.example/app:1.0.0', ...container }] },
      },
    },
  }),
);

/** Sends one review, and resolves when its answer has been read. Rejects when the signal aborts. */
function call(to: Required<Pick<RequestOptions, 'port' | 'agent' | 'signal'>>, review: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(review) };
  const options = { ...to, host: '127.0.0.1', path: '/mutate', method: 'POST', headers };
  const sent = request(options, (response) => response.resume().on('end', resolve).on('error', reject));
  sent.on('error', reject).end(review);
  return promise;
}
