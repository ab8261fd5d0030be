import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';
import { allowed } from '../../../src/webhook/review.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import type { Request } from '../../harness/autoscrape/admission-review.ts';
import { startWebhook } from './running-webhook.ts';
import { applyPatch, verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

const webhook = await startWebhook();
after(() => webhook.server.close(AbortSignal.abort()));

const MARKER =
  '{"rule":"metrics-port","added":{"prometheus.io/scrape":"true","prometheus.io/port":"9464","prometheus.io/path":"/metrics"}}';
const ANNOTATIONS = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': '9464',
  'prometheus.io/path': '/metrics',
  'autoscrape.io/injected': MARKER,
};

test('a pod with a metrics port is allowed with a patch that adds the annotations and nothing else', async () => {
  for (const annotations of [undefined, {}, { 'team/owner': 'a~b' }]) {
    const pod = podWithMetrics(annotations);
    const review = reviewOf(pod);
    const { patch, audit } = verifyAnswer(await webhook.call(review), review.request.uid);
    const wanted = { ...pod, metadata: { ...pod.metadata, annotations: { ...annotations, ...ANNOTATIONS } } };
    assert.deepEqual(applyPatch(pod, patch), wanted);
    assert.deepEqual(audit, { rule: 'metrics-port' });

    const again = reviewOf(wanted);
    const second = verifyAnswer(await webhook.call(again), again.request.uid);
    assert.deepEqual(second, { patch: [], warnings: [], audit: { reason: 'already_injected' } });
  }
});

test('the called path says whether the namespace is in an Istio mesh', async () => {
  const pod = podWithMetrics();
  const https = {
    ...pod,
    spec: { containers: [{ name: 'web', image: 'web:1', ports: [{ name: 'https-metrics', containerPort: 8443 }] }] },
  };
  const reasons = [];
  for (const path of ['/mutate', '/mutate/istio', '/mutate/istio?timeout=3s']) {
    const review = reviewOf(https);
    reasons.push(verifyAnswer(await webhook.call(review, { path }), review.request.uid).audit['reason']);
  }
  assert.deepEqual(reasons, ['https_endpoint', 'mesh_https', 'mesh_https']);
});

const UID = 'b4f5a5a6-1111-2222-3333-444455556666';
const NOT_A_POD = { reason: 'not_a_pod_creation' };
const UNREADABLE = { reason: 'unreadable' };

// Everything that can be wrong with a request whose uid is readable: it is allowed without a patch.
const LET_THROUGH: Readonly<Record<string, readonly [changes: Request, audit: Record<string, string>]>> = {
  'a deletion': [{ operation: 'DELETE', object: null, oldObject: podWithMetrics() }, NOT_A_POD],
  'an update': [{ operation: 'UPDATE' }, NOT_A_POD],
  'a connection': [{ operation: 'CONNECT', subResource: 'exec', object: { kind: 'PodExecOptions' } }, NOT_A_POD],
  'an unknown operation': [{ operation: 1 }, NOT_A_POD],
  'a subresource': [{ subResource: 'ephemeralcontainers' }, NOT_A_POD],
  'another kind': [{ kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }, NOT_A_POD],
  'a pod of another group': [{ kind: { group: 'metrics.k8s.io', version: 'v1beta1', kind: 'Pod' } }, NOT_A_POD],
  'no kind': [{ kind: null }, NOT_A_POD],
  'a kind that is a string': [{ kind: 'Pod' }, NOT_A_POD],
  'no object': [{ object: undefined }, NOT_A_POD],
  'a null object': [{ object: null }, NOT_A_POD],
  'an object that is a list': [{ object: [] }, UNREADABLE],
  'an object that is a string': [{ object: 'pod' }, UNREADABLE],
  'an object that is a number': [{ object: 1 }, UNREADABLE],
  'an empty pod': [{ object: {} }, UNREADABLE],
  'a pod without spec': [{ object: { metadata: {} } }, UNREADABLE],
  'a pod whose containers are an object': [{ object: { metadata: {}, spec: { containers: {} } } }, UNREADABLE],
  'annotations that are a list': [{ object: { ...podWithMetrics(), metadata: { annotations: [] } } }, UNREADABLE],
  'nothing but the uid': [
    Object.fromEntries(
      ['kind', 'resource', 'namespace', 'operation', 'object', 'dryRun'].map((key) => [key, undefined]),
    ),
    NOT_A_POD,
  ],
};

for (const [title, [changes, audit]] of Object.entries(LET_THROUGH)) {
  test(`allowed unchanged: ${title}`, async () => {
    const reply = await webhook.call(reviewOf(podWithMetrics(), { uid: UID, ...changes }));
    assert.deepEqual(verifyAnswer(reply, UID), { patch: [], warnings: [], audit });
  });
}

// What else is odd about a request that is about a pod: it is annotated all the same.
const ANNOTATED: Readonly<Record<string, Request>> = {
  'a dry run': { dryRun: true },
  'no namespace': { namespace: undefined },
  'a namespace that is a number': { namespace: 7 },
  'a name and no generateName': { name: 'web' },
  'no group in the kind': { kind: { version: 'v1', kind: 'Pod' } },
  'an empty subresource': { subResource: '' },
  'fields that nobody knows': { ['__proto__']: { uid: 1 }, constructor: {}, toString: 1, extra: [[]] },
  'a uid that is no UUID': { uid: UID },
};

for (const [title, changes] of Object.entries(ANNOTATED)) {
  test(`annotated nevertheless: ${title}`, async () => {
    const { patch } = verifyAnswer(await webhook.call(reviewOf(podWithMetrics(), { uid: UID, ...changes })), UID);
    assert.equal(patch.length, 1);
  });
}

// Where nothing can be answered because the version is another, or the uid can't be repeated.
const REFUSED: Readonly<Record<string, unknown>> = {
  v1beta1: { ...reviewOf(podWithMetrics()), apiVersion: 'admission.k8s.io/v1beta1' },
  v2: { ...reviewOf(podWithMetrics()), apiVersion: 'admission.k8s.io/v2' },
  'no version': { ...reviewOf(podWithMetrics()), apiVersion: undefined },
  'another kind': { ...reviewOf(podWithMetrics()), kind: 'ConversionReview' },
  'no kind': { ...reviewOf(podWithMetrics()), kind: null },
  'no request': { ...reviewOf(podWithMetrics()), request: undefined },
  'a request that is a list': { ...reviewOf(podWithMetrics()), request: [] },
  'no uid': reviewOf(podWithMetrics(), { uid: undefined }),
  'an empty uid': reviewOf(podWithMetrics(), { uid: '' }),
  'a uid that is a number': reviewOf(podWithMetrics(), { uid: 1 }),
  'a uid that is a list': reviewOf(podWithMetrics(), { uid: [UID] }),
  'a uid of a megabyte': reviewOf(podWithMetrics(), { uid: 'x'.repeat(1e6) }),
  'a list': [reviewOf(podWithMetrics())],
  null: 'null',
  'a number': '1',
  'a string': '"AdmissionReview"',
  true: 'true',
};

for (const [title, body] of Object.entries(REFUSED)) {
  test(`refused with 400: ${title}`, async () => {
    const reply = await webhook.call(body);
    assert.equal(reply.status, 400, reply.body);
    assert.match(reply.body, /^\{"error":"(the body is not an AdmissionReview|request\.uid must be)/);
  });
}

test('with --observe it decides, logs and counts as usual, and people who apply pods see nothing', async (t) => {
  const observer = await startWebhook(t, { observe: true });
  const declined = podWithMetrics({ 'prometheus.io/scrape': 'True' });
  for (const [pod, audit] of [
    [podWithMetrics(), { rule: 'metrics-port' }],
    [declined, { reason: 'declined' }],
  ] as const) {
    const review = reviewOf(pod);
    assert.deepEqual(verifyAnswer(await observer.call(review), review.request.uid), { patch: [], warnings: [], audit });
  }
  const metrics = await observer.metrics();
  assert.match(metrics, /^autoscrape_admission_requests_total\{outcome="observe",code="200"\} 1$/m);
  assert.match(metrics, /^autoscrape_admission_requests_total\{outcome="skip",code="200"\} 1$/m);
  assert.match(metrics, /^autoscrape_admission_decisions_total\{outcome="annotate",rule="metrics-port"\} 1$/m);
  assert.match(metrics, /^autoscrape_admission_decisions_total\{outcome="skip",reason="declined"\} 1$/m);
  assert.match(observer.lines[0] ?? '', /"outcome":"annotate","rule":"metrics-port",.*"observe":true,"msg":"review"/);
});

test('with --ask a pod by a hint is left to the reconciler, except on the path for Istio, and rules see the namespace', async (t) => {
  const parsed = parseRules(
    'rules: [{ name: hint, when: { portName: hint, namespace: test }, confirm: true }]',
    readShipped(),
  );
  assert.ok(parsed.ok);
  const asking = await startWebhook(t, { ask: true, rules: parsed.value.rules });
  const pod = { metadata: {}, spec: { containers: [{ name: 'app', ports: [{ name: 'hint', containerPort: 7000 }] }] } };
  const auditOf = async (namespace: string, path: string): Promise<unknown> => {
    const review = reviewOf(pod, { namespace });
    return verifyAnswer(await asking.call(review, { path }), review.request.uid).audit;
  };
  assert.deepEqual(await auditOf('test', '/mutate'), { rule: 'hint', reason: 'to_be_asked' });
  assert.deepEqual(await auditOf('test', '/mutate/istio'), { rule: 'hint' });
  assert.deepEqual(await auditOf('other', '/mutate'), { reason: 'no_candidate' });
  assert.match(
    await asking.metrics(),
    /^autoscrape_admission_decisions_total\{outcome="skip",reason="to_be_asked",rule="hint"\} 1$/m,
  );
});

test('a warning reaches the person who applied the pod', async () => {
  const review = reviewOf(podWithMetrics({ 'prometheus.io/scrape': 'True' }));
  const { warnings, audit } = verifyAnswer(await webhook.call(review), review.request.uid);
  assert.deepEqual(audit, { reason: 'declined' });
  assert.match(warnings.join(), /prometheus\.io\/scrape/);
});

test('warnings are within the limits of the API server: no control characters, 256 characters each, 4096 in total', () => {
  const texts = [
    'two\r\nlines\u0000',
    'half a pair \ud800',
    '😀'.repeat(200),
    ...Array.from({ length: 40 }, () => 'x'.repeat(300)),
  ];
  const body = allowed(UID, { warnings: texts, auditAnnotations: {} });
  const { warnings } = verifyAnswer({ status: 200, headers: { 'content-type': 'application/json' }, body }, UID);
  assert.deepEqual(warnings.slice(0, 3), ['two lines ', 'half a pair \ufffd', '😀'.repeat(128)]);
  assert.ok(warnings.length > 10 && warnings.every((warning) => warning.isWellFormed()));
});

test('requests are counted by outcome, and their duration is measured', async (t) => {
  const counting = await startWebhook(t);
  await counting.call(reviewOf(podWithMetrics()));
  await counting.call(reviewOf(podWithMetrics(), { operation: 'DELETE' }));
  await counting.call('nonsense');
  const metrics = await counting.metrics();
  assert.match(metrics, /^autoscrape_admission_requests_total\{outcome="annotate",code="200"\} 1$/m);
  assert.match(metrics, /^autoscrape_admission_requests_total\{outcome="skip",code="200"\} 1$/m);
  assert.match(metrics, /^autoscrape_admission_requests_total\{outcome="refuse",code="400"\} 1$/m);
  assert.match(metrics, /^autoscrape_admission_duration_seconds_count 2$/m);
});
