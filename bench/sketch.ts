import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Fastify from 'fastify';

// The webhook as a first sketch: a port's name decides, nothing is bounded, checked, logged or counted. What autoscrape costs
// beyond it is the price of being a product. `node bench/sketch.ts PORT CERT_DIR`.

const [port = '', certDir = ''] = process.argv.slice(2);
const NAMES = new Set(['metrics', 'http-metrics', 'prometheus', 'monitoring']);

interface Review {
  readonly request: { readonly uid: string; readonly object: Pod };
}
interface Pod {
  readonly metadata: { readonly annotations?: object };
  readonly spec: { readonly containers: readonly { readonly ports?: readonly Port[] }[] };
}
interface Port {
  readonly name?: string;
  readonly containerPort: number;
}

const https = { cert: readFileSync(join(certDir, 'tls.crt')), key: readFileSync(join(certDir, 'tls.key')) };
const app = Fastify({ https, bodyLimit: 4 * 1024 * 1024 });
app.post<{ Body: Review }>('/mutate', ({ body: { request } }) => {
  const { uid, object } = request;
  const ports = object.spec.containers.flatMap((container) => container.ports ?? []);
  const found = ports.find(({ name = '' }) => NAMES.has(name));
  const response = { uid, allowed: true };
  if (found === undefined) return review(response);
  const annotations = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(found.containerPort) };
  const value = { ...object.metadata.annotations, ...annotations };
  const patch = JSON.stringify([{ op: 'add', path: '/metadata/annotations', value }]);
  return review({ ...response, patchType: 'JSONPatch', patch: Buffer.from(patch).toString('base64') });
});
await app.listen({ host: '127.0.0.1', port: Number(port) });

function review(response: object): object {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
}
