import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'yaml';
import type { BulkReport, PodOutcome } from '../../../src/reconcile/bulk.ts';
import { hasFailed, renderReport } from '../../../src/reconcile/report.ts';

const added = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'autoscrape.io/injected': '{}' };
const ref = { namespace: 'shop', uid: 'u', resourceVersion: '1' };
const change = (name: string, action: 'annotate' | 'uninject' = 'annotate') =>
  ({ ...ref, name, action, rule: 'metrics-port', annotations: added, patch: [] }) as const;
const skipped: PodOutcome = { plan: { ...ref, name: 'db', action: 'skip', reason: 'no_candidate' } };
const failure = { status: 403, message: 'pods "x" is forbidden' };

function report(pods: readonly PodOutcome[], more: Partial<BulkReport> = {}): BulkReport {
  const shop = { name: 'shop', optedIn: true, mesh: false, terminating: false };
  return { dryRun: false, namespaces: [shop], pods, problems: [], ...more };
}

test('a plan is one line a pod, and a summary with the reasons for skipping', () => {
  const text = renderReport(report([{ plan: change('cart') }, skipped, skipped], { dryRun: true }), 'text');
  assert.equal(
    text,
    [
      'shop/cart  would be annotated  metrics-port: prometheus.io/scrape=true prometheus.io/port=9464',
      'shop/db    skipped             no_candidate',
      'shop/db    skipped             no_candidate',
      '',
      '3 pods in 1 namespace: 2 skipped, 1 would be annotated.',
      '      2  no_candidate  No rule finds a metrics endpoint in this pod.',
      '',
    ].join('\n'),
  );
});

test('each pod has its result, and a failure has its message', () => {
  const text = renderReport(
    report(
      [
        { plan: change('a'), applied: { result: 'done', rule: 'metrics-port', pod: {} } },
        { plan: change('b', 'uninject'), applied: { result: 'done', rule: 'metrics-port', pod: {} } },
        { plan: change('c'), applied: { result: 'gone' } },
        { plan: change('d'), applied: { result: 'superseded', pod: {} } },
        { plan: change('e'), applied: { result: 'unwanted' } },
        { plan: change('f'), applied: { result: 'failed', failure } },
        { plan: change('g'), applied: { result: 'refused', resourceVersion: '1', failure } },
        { plan: change('h'), applied: { result: 'stopped' } },
      ],
      { problems: ['namespace x: its pods could not be listed: no'] },
    ),
    'text',
  );
  for (const line of [
    /^shop\/a +annotated +metrics-port/m,
    /^shop\/b +uninjected +metrics-port/m,
    /^shop\/c +deleted/m,
    /^shop\/d +no change needed/m,
    /^shop\/e +namespace changed/m,
    /^shop\/f +failed +pods "x" is forbidden$/m,
    /^shop\/g +refused +pods "x" is forbidden$/m,
    /^shop\/h +not done +metrics-port/m,
    /^Failed: namespace x: its pods could not be listed: no$/m,
  ]) {
    assert.match(text, line);
  }
});

test('a pod is one line, whatever a message or an annotation holds, and JSON has all of it', () => {
  const message = `Pod "a" is invalid: ${'x'.repeat(300)}\n{"spec": 1}\u001B[2J`;
  const annotations = { 'prometheus.io/path': '/a\n/b' };
  const value = report(
    [
      { plan: change('a'), applied: { result: 'failed', failure: { status: 422, message } } },
      { plan: { ...change('b', 'uninject'), annotations } },
    ],
    { problems: ['namespace x: its pods could not be listed: one\ntwo'] },
  );
  const [first = '', second, ...others] = renderReport(value, 'text').split('\n');
  assert.match(first, /^shop\/a +failed +Pod "a" is invalid: x+…$/);
  assert.equal(first.replace(/.*failed +/, '').length, 256);
  assert.equal(second, 'shop/b  would be uninjected  metrics-port: prometheus.io/path=/a /b');
  assert.equal(others.at(-2), 'Failed: namespace x: its pods could not be listed: one');
  const json: { pods: { message?: string }[] } = JSON.parse(renderReport(value, 'json'));
  assert.equal(json.pods[0]?.message, message);
});

test('a report has failed when a change failed, was refused or was not done', () => {
  const cases: readonly [BulkReport, boolean][] = [
    [report([]), false],
    [report([skipped, { plan: change('a') }]), false],
    [report([{ plan: change('a'), applied: { result: 'gone' } }]), false],
    [report([{ plan: change('a'), applied: { result: 'superseded', pod: {} } }]), false],
    [report([{ plan: change('a'), applied: { result: 'failed', failure } }]), true],
    [report([{ plan: change('a'), applied: { result: 'refused', resourceVersion: '1', failure } }]), true],
    [report([{ plan: change('a'), applied: { result: 'stopped' } }]), true],
    [report([], { problems: ['x'] }), true],
  ];
  for (const [value, want] of cases) assert.equal(hasFailed(value), want);
});

test('JSON and YAML hold the same, and all of it', () => {
  const value = report([{ plan: change('a'), applied: { result: 'failed', failure } }, skipped]);
  const json: unknown = JSON.parse(renderReport(value, 'json'));
  assert.deepEqual(parse(renderReport(value, 'yaml')), json);
  assert.deepEqual(json, {
    dryRun: false,
    summary: { namespaces: 1, pods: 2, results: { failed: 1, skipped: 1 }, reasons: { no_candidate: 1 } },
    problems: [],
    pods: [
      {
        namespace: 'shop',
        name: 'a',
        uid: 'u',
        result: 'failed',
        rule: 'metrics-port',
        annotations: added,
        patch: [],
        message: 'pods "x" is forbidden',
      },
      { namespace: 'shop', name: 'db', uid: 'u', result: 'skipped', reason: 'no_candidate' },
    ],
  });
});

test('a request is one line with what it has shown, and the detail of a reason follows it', () => {
  const request = { namespace: 'shop', pod: 'cart', address: 'fd00::1', port: 8080, path: '/metrics' };
  const text = renderReport(
    report([{ plan: { ...ref, name: 'cart', action: 'skip', reason: 'service_annotated', detail: 'Service cart' } }], {
      requests: [
        { ...request, verdict: { key: 'metrics', format: 'text', series: 12, beyondRuntime: true, sure: true } },
        { ...request, verdict: { key: 'needs_auth', status: 401 } },
        { ...request, verdict: { key: 'html' } },
      ],
    }),
    'text',
  );
  assert.deepEqual(text.split('\n').slice(0, 6), [
    '3 requests to 1 pod:',
    '  shop/cart  GET http://[fd00::1]:8080/metrics  metrics, 12 series',
    '  shop/cart  GET http://[fd00::1]:8080/metrics  needs_auth: Serve metrics without credentials to the cluster, or scrape the pod with a job of its own.',
    '  shop/cart  GET http://[fd00::1]:8080/metrics  html',
    '',
    'shop/cart  skipped  service_annotated: Service cart',
  ]);
});
