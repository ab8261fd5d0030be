import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import jsonPatch from 'fast-json-patch';
import { decide } from '../../../src/core/decide.ts';
import { MARKER_KEY } from '../../../src/core/annotations/marker.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { parseSelector } from '../../../src/core/rules/selector-text.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import { uninjectPlanner } from '../../../src/reconcile/plan-uninject.ts';
import type { PodPlan } from '../../../src/reconcile/plan.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';

const rules = defaultRules();
const all = parseRules('endpoints: all', readShipped());
assert.ok(all.ok);
const annotateAll = annotatePlanner(all.value.rules, false);
const annotateAllInMesh = annotatePlanner(all.value.rules, true);
const inDialects = parseRules('dialects: [grafana, datadog, dynatrace, opentelemetry]', readShipped());
assert.ok(inDialects.ok);
const dialectRules = inDialects.value.rules;
const annotateInDialects = annotatePlanner(dialectRules, false);
const annotate = annotatePlanner(rules, false);
const annotateInMesh = annotatePlanner(rules, true);
const uninject = uninjectPlanner(rules);

const ADDED = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'prometheus.io/path': '/metrics' };
const INJECTED = { ...ADDED, [MARKER_KEY]: JSON.stringify({ rule: 'metrics-port', added: ADDED }) };
const PROXY = {
  name: 'istio-proxy',
  image: 'istio/proxyv2',
  ports: [{ name: 'http-envoy-prom', containerPort: 15090 }],
};

interface Changes {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly sidecars?: readonly object[];
}

/** A running pod with a metrics port. */
function pod({ metadata = {}, status = { phase: 'Running' }, sidecars = [] }: Changes = {}): object {
  return {
    metadata: { namespace: 'shop', name: 'cart', uid: 'u-1', resourceVersion: '42', ...metadata },
    spec: {
      containers: [
        { name: 'cart', image: 'shop/cart', ports: [{ name: 'metrics', containerPort: 9464 }] },
        ...sidecars,
      ],
    },
    status,
  };
}

const annotations = (value: Readonly<Record<string, string>>) => ({ metadata: { annotations: value } });
/** What Istio's injector makes of the annotations of a pod that it merges. */
const MERGED = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': '15020',
  'prometheus.io/path': '/stats/prometheus',
};

suite('the plan to annotate a live pod', () => {
  const rows: readonly [what: string, object: object, want: string][] = [
    ['a pod with a metrics port', pod(), 'annotate'],
    ['a pending one', pod({ status: { phase: 'Pending' } }), 'annotate'],
    ['one without a status', pod({ status: {} }), 'annotate'],
    ['one that has succeeded', pod({ status: { phase: 'Succeeded' } }), 'finished'],
    ['one that has failed', pod({ status: { phase: 'Failed' } }), 'finished'],
    ['one that is being deleted', pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }), 'terminating'],
    ['a mirror of a static pod', pod(annotations({ 'kubernetes.io/config.mirror': 'x' })), 'mirror_pod'],
    ['one that is opted out', pod({ metadata: { labels: { 'autoscrape.io/inject': 'disabled' } } }), 'opted_out'],
    ['one that declines', pod(annotations({ 'prometheus.io/scrape': 'false' })), 'declined'],
    [
      'one whose user said it all',
      pod(annotations({ 'prometheus.io/scrape': 'true', 'prometheus.io/port': '1' })),
      'already_annotated',
    ],
    ['one that is annotated', pod(annotations(INJECTED)), 'already_injected'],
    [
      'one whose port was changed since',
      pod(annotations({ ...INJECTED, 'prometheus.io/port': '1' })),
      'already_annotated',
    ],
    [
      'one whose scrape key was removed since',
      pod(annotations(without(INJECTED, 'prometheus.io/scrape'))),
      'changed_since',
    ],
    ['one that Istio has merged', pod({ ...annotations(MERGED), sidecars: [PROXY] }), 'istio_merged'],
    [
      'one that Istio has merged after us',
      pod({ ...annotations({ ...INJECTED, ...MERGED }), sidecars: [PROXY] }),
      'istio_merged',
    ],
  ];
  for (const [what, object, want] of rows) {
    test(`${what}: ${want}`, () => assert.equal(verdict(annotate(object)), want));
  }

  test('an object without a namespace, a name, a UID or a version has no plan', () => {
    for (const key of ['name', 'namespace', 'uid', 'resourceVersion']) {
      assert.equal(annotate(pod({ metadata: { [key]: undefined } })), undefined);
      assert.equal(uninject(pod({ metadata: { [key]: undefined } })), undefined);
    }
  });

  test('the patch applies only to the version that was planned on', () => {
    const plan = annotate(pod());
    assert.deepEqual(patchOf(plan)[0], { op: 'test', path: '/metadata/resourceVersion', value: '42' });
    const other = pod({ metadata: { resourceVersion: '43' } });
    assert.throws(() => applied(other, plan));
  });

  test('pods that the selector does not select are skipped, whatever they have', () => {
    const parsed = parseSelector('app,tier!=canary');
    assert.ok(parsed.ok);
    const planner = annotatePlanner(rules, false, undefined, parsed.value);
    for (const [labels, want] of [
      [{ app: 'shop' }, 'annotate'],
      [{ app: 'shop', tier: 'canary' }, 'not_selected'],
      [{}, 'not_selected'],
      [undefined, 'not_selected'],
    ] as const) {
      assert.equal(verdict(planner(pod({ metadata: { labels } }))), want, JSON.stringify(labels));
    }
  });

  test('in a mesh https endpoints are skipped', () => {
    const https = parseRules(
      'https: true\nrules: [{ name: tls, when: { portName: metrics }, scrape: { scheme: https } }]',
      readShipped(),
    );
    assert.ok(https.ok);
    assert.equal(verdict(annotatePlanner(https.value.rules, false)(pod())), 'annotate');
    assert.equal(verdict(annotatePlanner(https.value.rules, true)(pod())), 'mesh_https');
    // A pod that carries the proxy is in the mesh, whatever the namespace says.
    assert.equal(verdict(annotatePlanner(https.value.rules, false)(pod({ sidecars: [PROXY] }))), 'mesh_https');
  });

  test("in a mesh the pod's own port is written, never one of Istio's", () => {
    const plan = annotateInMesh(pod({ sidecars: [PROXY] }));
    assert.equal(plan?.action === 'annotate' && plan.annotations['prometheus.io/port'], '9464');
  });
});

suite('the plan to uninject a pod', () => {
  const rows: readonly [what: string, object: object, want: readonly string[] | string][] = [
    ['everything that was added', pod(annotations(INJECTED)), Object.keys(INJECTED)],
    [
      'only values that nobody changed',
      pod(annotations({ ...INJECTED, 'prometheus.io/port': '1' })),
      keysWithout('prometheus.io/port'),
    ],
    [
      'only keys that still exist',
      pod(annotations(without(INJECTED, 'prometheus.io/path'))),
      keysWithout('prometheus.io/path'),
    ],
    [
      'nothing by a copied marker: what the user wrote stays, and the webhook adds nothing to it',
      pod(annotations({ 'prometheus.io/path': '/metrics', [MARKER_KEY]: INJECTED[MARKER_KEY] })),
      'changed_since',
    ],
    [
      'the rest of what was added, when somebody removed a part of it',
      pod(annotations(without(INJECTED, 'prometheus.io/scrape'))),
      keysWithout('prometheus.io/scrape'),
    ],
    [
      'from a finished pod too',
      pod({ ...annotations(INJECTED), status: { phase: 'Succeeded' } }),
      Object.keys(INJECTED),
    ],
    [
      'nothing but the marker, when Istio made it its own',
      pod({ ...annotations({ ...INJECTED, ...MERGED }), sidecars: [PROXY] }),
      [MARKER_KEY],
    ],
    [
      'nothing from a pod that was never injected',
      pod(annotations({ 'prometheus.io/scrape': 'true' })),
      'not_injected',
    ],
    ['nothing from a pod without annotations', pod(), 'not_injected'],
    ['nothing by a marker that cannot be read', pod(annotations({ [MARKER_KEY]: '{' })), 'bad_marker'],
    [
      'nothing by a marker that names what others write',
      pod(
        annotations({
          'example.com/key': 'x',
          [MARKER_KEY]: JSON.stringify({ rule: 'r', added: { 'example.com/key': 'x' } }),
        }),
      ),
      'foreign_keys',
    ],
    [
      'nothing from a pod that is being deleted',
      pod({ metadata: { annotations: INJECTED, deletionTimestamp: 'x' } }),
      'terminating',
    ],
    ['nothing from a mirror pod', pod(annotations({ ...INJECTED, 'kubernetes.io/config.mirror': 'x' })), 'mirror_pod'],
  ];
  for (const [what, object, want] of rows) {
    test(what, () => {
      const plan = uninject(object);
      assert.deepEqual(plan?.action === 'uninject' ? Object.keys(plan.annotations) : verdict(plan), want);
    });
  }
});

suite('properties of plans, for pods with any annotations', () => {
  const key = fc.oneof(
    fc.constantFrom(...Object.keys(INJECTED), 'prometheus.io/scheme', 'a~b/c', '__proto__', 'constructor'),
    fc.constantFrom(
      'k8s.grafana.com/scrape',
      'k8s.grafana.com/metrics.container',
      'ad.datadoghq.com/cart.checks',
      'metrics.dynatrace.com/port',
      'io.opentelemetry.discovery.metrics.9464/enabled',
    ),
    fc.string({ maxLength: 8 }),
  );
  const value = fc.oneof(fc.constantFrom('true', 'false', '9464', '/metrics', '15020'), fc.string({ maxLength: 8 }));
  const existing = fc.option(fc.dictionary(key, value), { nil: undefined });
  const pods = fc
    .tuple(existing, fc.boolean())
    .map(([found, meshed]) => pod({ metadata: { annotations: found }, sidecars: meshed ? [PROXY] : [] }));

  test('the patch applies, adds only our keys, and changes or removes none', () => {
    fc.assert(
      fc.property(pods, fc.constantFrom(annotate, annotateInMesh, annotateInDialects), (object, planner) => {
        const plan = planner(object);
        if (plan?.action !== 'annotate') return;
        const [before, after] = [annotationsOf(object), annotationsOf(applied(object, plan))];
        assert.deepEqual(after, { ...plan.annotations, ...before });
        for (const added of Object.keys(plan.annotations)) assert.ok(!Object.hasOwn(before, added), added);
      }),
    );
  });

  test('an annotated pod is skipped', () => {
    fc.assert(
      fc.property(pods, fc.constantFrom(annotate, annotateInDialects), (object, planner) => {
        const plan = planner(object);
        if (plan?.action === 'annotate') assert.equal(planner(applied(object, plan))?.action, 'skip');
      }),
    );
  });

  test("a rule is printed only where it has the form of a rule's name, because anyone can write a marker", () => {
    for (const [rule, want] of [
      ['metrics-port', 'metrics-port'],
      ['secret text\n of a user', 'unknown'],
      ['x'.repeat(64), 'unknown'],
    ] as const) {
      const marker = JSON.stringify({ rule, added: ADDED });
      const plan = uninject(pod(annotations({ ...ADDED, [MARKER_KEY]: marker })));
      assert.ok(plan?.action === 'uninject');
      assert.equal(plan.rule, want);
    }
  });

  test('annotations that a pod had before the webhook annotated it are not removed, whatever marker it had', () => {
    const copied = fc.tuple(fc.subarray(Object.entries(INJECTED)), fc.dictionary(key, value)).map(([part, others]) => ({
      ...others,
      ...Object.fromEntries(part),
    }));
    fc.assert(
      fc.property(copied, fc.constantFrom(rules, dialectRules), (found, set) => {
        const decision = decide(pod(annotations(found)), set);
        if (decision.outcome === 'skip') return;
        const back = uninject(pod(annotations({ ...found, ...decision.annotations })));
        if (back?.action !== 'uninject') return;
        for (const taken of Object.keys(back.annotations)) {
          assert.ok(taken === MARKER_KEY || !Object.hasOwn(found, taken), taken);
        }
      }),
    );
  });

  test('annotating and uninjecting restores the annotations', () => {
    fc.assert(
      fc.property(pods, fc.constantFrom(annotate, annotateInDialects), (object, planner) => {
        const there = planner(object);
        // A marker that was there before is the user's, and nothing is removed because of it.
        if (there?.action !== 'annotate' || !Object.hasOwn(there.annotations, MARKER_KEY)) return;
        const annotated = applied(object, there);
        const back = uninject(annotated);
        assert.equal(back?.action, 'uninject');
        assert.deepEqual(annotationsOf(applied(annotated, back)), annotationsOf(object));
      }),
    );
  });
});

function verdict(plan: PodPlan | undefined): string | undefined {
  return plan?.action === 'skip' ? plan.reason : plan?.action;
}

function patchOf(plan: PodPlan | undefined) {
  return plan === undefined || plan.action === 'skip' ? [] : [...plan.patch];
}

/** The pod with the plan's patch applied, as strictly as the API server does it. */
function applied(object: object, plan: PodPlan | undefined): object {
  return jsonPatch.applyPatch(structuredClone(object), patchOf(plan), true, false).newDocument;
}

function annotationsOf(object: object): Record<string, string> {
  const { metadata }: { metadata?: { annotations?: Record<string, string> } } = object;
  return { ...metadata?.annotations };
}

function without(map: Readonly<Record<string, string>>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([other]) => other !== key));
}

function keysWithout(key: string): string[] {
  return Object.keys(without(INJECTED, key));
}

suite('the plans for several endpoints', () => {
  const worker = { name: 'worker', ports: [{ name: 'worker-metrics', containerPort: 9121 }] };
  const numbered = { 'prometheus.io/port-2': '9121', 'prometheus.io/path-2': '/metrics' };

  test('they are annotated, and removed whatever endpoints the rules ask for then', () => {
    const two = pod({ sidecars: [worker] });
    const plan = annotateAll(two);
    assert.ok(plan?.action === 'annotate');
    const { [MARKER_KEY]: marker = '', ...added } = plan.annotations;
    assert.deepEqual(added, { ...ADDED, ...numbered });
    const injected = pod({ ...annotations(plan.annotations), sidecars: [worker] });
    const removal = uninject(injected);
    assert.ok(removal?.action === 'uninject');
    assert.deepEqual(removal.annotations, { ...added, [MARKER_KEY]: marker });
  });

  test('a pod that was annotated before keeps what it has', () => {
    assert.equal(verdict(annotateAll(pod({ ...annotations(INJECTED), sidecars: [worker] }))), 'already_injected');
  });

  test("the annotation for Istio's agent is only written when a pod is created", () => {
    const plan = annotateAllInMesh(pod({ sidecars: [worker] }));
    assert.ok(plan?.action === 'annotate');
    assert.deepEqual(Object.keys(plan.annotations), [...Object.keys(ADDED), MARKER_KEY]);
  });
});

suite('the plans for other dialects', () => {
  test('they are written to a live pod, also to one that its author has annotated, and removed whatever the rules ask for then', () => {
    const stated = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' };
    for (const own of [{}, stated]) {
      const object = pod(annotations(own));
      const plan = annotateInDialects(object);
      assert.ok(plan?.action === 'annotate');
      const keys = Object.keys(plan.annotations);
      for (const prefix of ['k8s.grafana.com/', 'ad.datadoghq.com/', 'metrics.dynatrace.com/', 'io.opentelemetry.'])
        assert.ok(
          keys.some((key) => key.startsWith(prefix)),
          prefix,
        );
      const annotated = applied(object, plan);
      assert.equal(verdict(annotateInDialects(annotated)), 'already_injected');
      const removal = uninject(annotated);
      assert.deepEqual(annotationsOf(applied(annotated, removal)), own);
    }
  });

  test('a pod that was annotated before keeps what it has', () => {
    assert.equal(verdict(annotateInDialects(pod(annotations(INJECTED)))), 'already_injected');
  });

  test('a marker that claims a key of a consumer that autoscrape never writes removes nothing', () => {
    for (const key of [
      'ad.datadoghq.com/cart.logs',
      'k8s.grafana.com/job',
      'io.opentelemetry.discovery.logs/enabled',
    ]) {
      const marker = JSON.stringify({ rule: 'r', added: { ...ADDED, [key]: 'x' } });
      assert.equal(verdict(uninject(pod(annotations({ ...ADDED, [key]: 'x', [MARKER_KEY]: marker })))), 'foreign_keys');
    }
  });
});
