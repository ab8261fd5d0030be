import { nameOf } from '../../core/metadata.ts';
import { isReady } from '../../core/ask/ready-to-ask.ts';
import { objectIn, objectsIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import { checkCertificate } from './check-webhook-certificate.ts';
import type { CertificateRead } from './check-webhook-certificate.ts';
import { checkEndpoints } from './check-webhook-endpoints.ts';
import type { Collection } from '../../kube/api-paths.ts';
import { quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import { ofComponent, portOf, unchecked } from './our-objects.ts';
import type { Installation } from './our-objects.ts';
import { metricsOf } from './our-metrics.ts';
import { readServedCertificate } from './tls-handshake.ts';
import type { ServedCertificate } from './tls-handshake.ts';

const SLICES: Collection = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices' };

/** Returns what is on the API server's way to the webhook, up to the first break. */
export async function lookAtWebhook(place: Installation): Promise<readonly Line[]> {
  const { cluster, ours, namespaceOfRelease: namespace, now } = place;
  const slices = await cluster.list(SLICES, {
    namespace,
    labelSelector: `kubernetes.io/service-name=${ours.service?.service ?? ''}`,
  });
  const endpoints = slices.ok
    ? checkEndpoints(
        slices.value
          .flatMap((slice) => objectsIn(slice, 'endpoints'))
          // A Service of both IP families has two slices with the same pods.
          .filter((endpoint, index, all) => all.findIndex((other) => isSamePod(endpoint, other)) === index)
          .map((endpoint) => ({
            isReady: objectIn(endpoint, 'conditions')['ready'] !== false,
            node: text(endpoint['nodeName']),
          })),
        namespace,
      )
    : unchecked("the webhook's endpoints", slices);
  const certificate = checkCertificate(await readCertificate(place), ours, now);
  if (certificate.state === 'cross') return [certificate, { state: 'unreached', title: "the webhook's endpoints" }];
  // Where no pod runs, nobody can show a certificate.
  return endpoints.state === 'cross' && certificate.state === 'unchecked' ? [endpoints] : [certificate, endpoints];
}

function isSamePod(one: JsonObject, other: JsonObject): boolean {
  const name = objectIn(one, 'targetRef')['name'];
  return one === other || (name !== undefined && name === objectIn(other, 'targetRef')['name']);
}

async function readCertificate(place: Installation): Promise<CertificateRead> {
  const running = ofComponent(place.pods, 'webhook').filter((pod) => objectIn(pod, 'status')['phase'] === 'Running');
  const pod = running.find(isReady) ?? running[0];
  if (pod === undefined) return { served: { ok: false, error: 'a running pod of the webhook' }, ends: undefined };
  const served = await shakeHands(place, pod);
  if (served.ok) return { served, ends: undefined };
  const metrics = await metricsOf(place, pod);
  const seconds = metrics?.sum('autoscrape_tls_certificate_not_after_timestamp_seconds');
  const ends = new Date((seconds ?? Number.NaN) * 1000).getTime();
  return { served, ends: Number.isNaN(ends) ? undefined : ends };
}

async function shakeHands(
  { kube, ours, namespaceOfRelease: namespace }: Installation,
  pod: JsonObject,
): Promise<Result<ServedCertificate, string>> {
  let problem: string;
  try {
    const connection = await kube.forward({ namespace, pod: nameOf(pod), port: portOf(pod, 'webhook') ?? 10250 });
    const servername = `${ours.service?.service ?? ''}.${namespace}.svc`;
    const read = await readServedCertificate(connection, ours.authorities, servername);
    if (read.ok) return read;
    problem = read.error;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  return problem.includes('403')
    ? { ok: false, error: `create on pods/portforward in namespace ${namespace}` }
    : { ok: false, error: `a connection to pod ${nameOf(pod)}: ${quoted(problem)}` };
}
