import { randomUUID } from 'node:crypto';
import { request } from 'node:https';
import { json } from 'node:stream/consumers';
import jsonPatch from 'fast-json-patch';

/** Where a webhook is, as in a MutatingWebhookConfiguration's `clientConfig`. */
export interface Webhook {
  readonly port: number;
  /** The name that its certificate must be for: a Service's `<name>.<namespace>.svc`. */
  readonly serverName: string;
  readonly caBundle: string;
}

/** The result of creating a pod. */
export interface Admitted {
  /** The pod as it would be stored, with the webhook's patch applied. */
  readonly pod: unknown;
  readonly warnings: readonly string[];
  /** What the webhook leaves in the audit log: the rule or the reason. */
  readonly audit: Readonly<Record<string, string>>;
}

/**
 * Sends a pod to the webhook as the API server does, in an AdmissionReview v1 over TLS, and returns the pod with the patch
 * applied. Throws where the API server would reject the pod: the answer is invalid, or the patch does not apply.
 */
export async function admit(webhook: Webhook, namespace: string, pod: object): Promise<Admitted> {
  const uid = randomUUID();
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      namespace,
      operation: 'CREATE',
      userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
      object: pod,
      oldObject: null,
      dryRun: false,
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
    },
  };
  const response = readResponse(await post(webhook, JSON.stringify(review)), uid);
  const { patch } = response;
  if (patch === undefined) return { ...response, pod };
  const operations: unknown = JSON.parse(Buffer.from(patch, 'base64').toString());
  if (!isPatch(operations)) throw new Error('the answer holds no JSON Patch');
  return { ...response, pod: jsonPatch.applyPatch(structuredClone(pod), operations, true).newDocument };
}

function post({ port, serverName, caBundle }: Webhook, body: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const call = request({
    host: '127.0.0.1',
    port,
    servername: serverName,
    ca: caBundle,
    method: 'POST',
    path: '/mutate?timeout=3s',
    headers: { 'content-type': 'application/json', accept: 'application/json, */*' },
    timeout: 3000,
    agent: false,
  });
  call.on('response', (response) => {
    if (response.statusCode === 200) json(response).then(resolve, reject);
    else reject(new Error(`the webhook answers with status ${response.statusCode ?? 'none'}`));
  });
  call.on('timeout', () => call.destroy(new Error('the webhook does not answer within 3 seconds')));
  call.on('error', reject);
  call.end(body);
  return promise;
}

interface Response extends Omit<Admitted, 'pod'> {
  readonly patch: string | undefined;
}

/** Checks what the API server checks (apiserver's VerifyAdmissionResponse), and that nothing is denied. */
function readResponse(review: unknown, uid: string): Response {
  const { apiVersion, kind, response } = fields(review);
  const { uid: answered, allowed, patch, patchType, warnings, auditAnnotations } = fields(response);
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview')
    throw new Error('no AdmissionReview came back');
  if (answered !== uid) throw new Error('the answer is for another review');
  if (allowed !== true) throw new Error('the pod was rejected');
  if ((patch === undefined) !== (patchType === undefined)) throw new Error('patch and patchType must come together');
  return {
    patch: typeof patch === 'string' ? patch : undefined,
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
    audit: Object.fromEntries(Object.entries(fields(auditAnnotations)).map(([key, value]) => [key, String(value)])),
  };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isPatch(value: unknown): value is Parameters<typeof jsonPatch.applyPatch>[1] {
  return Array.isArray(value) && value.every((operation) => fields(operation)['op'] === 'add');
}
