import assert from 'node:assert/strict';
import test from 'node:test';
import { refusedBy } from '../../../../src/doctor/scraper/authorization-policies.ts';
import type { JsonObject } from '../../../../src/core/json.ts';
import { down, ids, look, print } from '../situation.ts';

// What Istio's AuthorizationPolicies do to a scrape of http://…:8080/metrics by a Prometheus outside of the mesh.

const POD = { metadata: { namespace: 'shop', name: 'orders-1', labels: { app: 'orders' } } };
const PROMETHEUS = {
  metadata: { namespace: 'monitoring', name: 'prometheus-0' },
  spec: { containers: [{ name: 'p' }] },
};
const IN_MESH = { ...PROMETHEUS, spec: { containers: [{ name: 'p' }, { name: 'istio-proxy' }] } };

function policy(spec: object, words: object = {}): JsonObject {
  return { metadata: { namespace: 'shop', name: 'rule', ...words }, spec };
}

const FROM_FRONTEND = { from: [{ source: { principals: ['cluster.local/ns/shop/sa/frontend'] } }] };
const FROM_MONITORING = { from: [{ source: { namespaces: ['monitoring'] } }] };
const NOT_MONITORING = { from: [{ source: { notNamespaces: ['monitoring'] } }] };
const FROM_ADDRESS = { from: [{ source: { ipBlocks: ['10.0.0.0/8'] } }] };
const to = (operation: object) => ({ to: [{ operation }] });
const METRICS = to({ ports: ['8080'], paths: ['/metrics'], methods: ['GET'] });
const DENY_METRICS = policy({ action: 'DENY', rules: [METRICS] });

const SITUATIONS: readonly (readonly [
  what: string,
  policies: readonly JsonObject[],
  says: RegExp | undefined,
  from?: JsonObject,
])[] = [
  ['no policy', [], undefined],
  ['AUDIT only logs', [policy({ action: 'AUDIT', rules: [{}] })], undefined],
  ['ALLOW of everything', [policy({ rules: [{}] })], undefined],
  [
    'ALLOW without rules lets nobody in',
    [policy({})],
    /rule \(ALLOW\) lets in others, and not monitoring\/prometheus-0\./,
  ],
  ['the action is ALLOW unless it says another', [policy({ rules: [FROM_FRONTEND] })], /\(ALLOW\) lets in others/],
  ['ALLOW of this port, path and method', [policy({ action: 'ALLOW', rules: [METRICS] })], undefined],
  ['ALLOW of another path', [policy({ rules: [to({ paths: ['/api/*'] })] })], /lets in others/],
  ['ALLOW of a path with this beginning', [policy({ rules: [to({ paths: ['/met*'] })] })], undefined],
  ['ALLOW of all other ports than this', [policy({ rules: [to({ notPorts: ['8080'] })] })], /lets in others/],
  [
    'one of two ALLOW policies lets it in',
    [policy({ rules: [FROM_FRONTEND] }), policy({ rules: [METRICS] })],
    undefined,
  ],
  ['two ALLOW policies let in others', [policy({}), policy({ rules: [FROM_FRONTEND] })], /and .* let in others/],
  ['an identity, which is missing without a proxy', [policy({ rules: [FROM_MONITORING] })], /lets in others/],
  [
    'an identity, of a Prometheus in the mesh',
    [policy({ rules: [FROM_MONITORING] })],
    /\(ALLOW\) may refuse it/,
    IN_MESH,
  ],
  ['ALLOW of addresses, which are not evaluated', [policy({ rules: [FROM_ADDRESS] })], /\(ALLOW\) may refuse it/],
  [
    'ALLOW that is unsure beside one that lets it in',
    [policy({ rules: [FROM_ADDRESS] }), policy({ rules: [METRICS] })],
    undefined,
  ],
  ['DENY of this path', [DENY_METRICS], /AuthorizationPolicy shop\/rule \(DENY\) refuses it\./],
  ['DENY without rules denies nothing', [policy({ action: 'DENY' })], undefined],
  ['DENY comes before ALLOW', [policy({ rules: [{}] }), DENY_METRICS], /\(DENY\) refuses it/],
  ['DENY of who has no identity', [policy({ action: 'DENY', rules: [NOT_MONITORING] })], /\(DENY\) refuses it/],
  ['DENY of another method', [policy({ action: 'DENY', rules: [to({ methods: ['POST'] })] })], undefined],
  ['DENY of all methods but this', [policy({ action: 'DENY', rules: [to({ notMethods: ['GET'] })] })], undefined],
  [
    'DENY with a condition, which is not evaluated',
    [policy({ action: 'DENY', rules: [{ ...METRICS, when: [{ key: 'request.headers[x]', values: ['a'] }] }] })],
    /\(DENY\) may refuse it: not all of its conditions are evaluated here/,
  ],
  [
    'DENY with a condition at another port',
    [policy({ action: 'DENY', rules: [{ ...to({ ports: ['9090'] }), when: [{ key: 'request.headers[x]' }] }] })],
    undefined,
  ],
  ['CUSTOM asks another', [policy({ action: 'CUSTOM', rules: [{}] })], /\(CUSTOM\) may refuse it: it asks an external/],
  ['CUSTOM of another port', [policy({ action: 'CUSTOM', rules: [to({ ports: ['9090'] })] })], undefined],
  ['of other pods', [policy({ action: 'DENY', rules: [{}], selector: { matchLabels: { app: 'site' } } })], undefined],
  ['of this pod', [policy({ action: 'DENY', rules: [{}], selector: { matchLabels: { app: 'orders' } } })], /refuses/],
  [
    "of the mesh's root",
    [policy({ action: 'DENY', rules: [{}] }, { namespace: 'istio-system' })],
    /istio-system\/rule/,
  ],
  ['of another namespace', [policy({ action: 'DENY', rules: [{}] }, { namespace: 'web' })], undefined],
  ['of a gateway', [policy({ action: 'DENY', rules: [{}], targetRefs: [{ kind: 'Gateway', name: 'g' }] })], undefined],
  ['a dry run', [policy({ action: 'DENY', rules: [{}] }, { annotations: { 'istio.io/dry-run': 'true' } })], undefined],
];

for (const [what, policies, says, from = PROMETHEUS] of SITUATIONS)
  test(`authorization policies: ${what}`, () => {
    const found = refusedBy(policies, 'istio-system', { from, to: POD, port: 8080, path: '/metrics' });
    if (says === undefined) assert.equal(found, undefined);
    else assert.match(found?.because ?? '', says);
  });

const DENIED = {
  pod: { sidecar: 'istio-proxy', labels: { app: 'orders' }, metadata: { namespace: 'shop' } },
  active: down('server returned HTTP status 403 Forbidden'),
} as const;

test('a pod whose policy lets in others is target-mesh, with the rule to add; one that is only audited is not', async () => {
  const allowed = await look({ ...DENIED, objects: { authorizationpolicies: [policy({ rules: [FROM_FRONTEND] })] } });
  assert.deepEqual(ids(allowed), ['target-mesh']);
  assert.match(
    print(allowed),
    /→ kubectl edit authorizationpolicy rule -n shop: add to its rules: \{to: \[\{operation: \{methods: \[GET\], ports: \["8080"\], paths: \["\/metrics"\]\}\}\]\}/,
  );
  const audited = policy({ action: 'AUDIT', rules: [{}] });
  assert.deepEqual(ids(await look({ ...DENIED, objects: { authorizationpolicies: [audited] } })), ['target-status']);
});

test('where policies must not be read, that is said', async () => {
  const report = await look({ ...DENIED, forbidden: ['authorizationpolicies'] });
  assert.deepEqual(ids(report), ['target-status']);
  assert.match(print(report), /not checked: the mesh's policies \(needs list on authorizationpolicies\)/);
});
