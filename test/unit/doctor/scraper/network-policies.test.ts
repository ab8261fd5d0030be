import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forbiddenBy } from '../../../../src/doctor/scraper/network-policies.ts';

function pod(namespace: string, name: string, podIP: string, labels: Record<string, string> = { app: name }) {
  const containers = [{ ports: [{ name: 'metrics', containerPort: 9464 }] }];
  return { metadata: { namespace, name, labels }, spec: { containers }, status: { podIP } };
}

function onHost(one: ReturnType<typeof pod>) {
  return { ...one, spec: { ...one.spec, hostNetwork: true } };
}

const connection = {
  from: pod('monitoring', 'prometheus', '10.0.9.9'),
  to: pod('shop', 'orders', '10.0.1.7'),
  port: 9464,
  namespaces: new Map([['monitoring', { team: 'sre' }]]),
};

function policy(spec: object, namespace = 'shop') {
  return { metadata: { namespace, name: 'p' }, spec: { podSelector: {}, ...spec } };
}

/** Policies, and whether the connection is forbidden on its way in or out. */
const TABLE: readonly (readonly [
  what: string,
  policies: readonly ReturnType<typeof policy>[],
  way: 'in' | 'out' | undefined,
])[] = [
  ['no policy', [], undefined],
  ['an empty selector is every pod', [policy({})], 'in'],
  ['a policy of another namespace', [policy({}, 'web')], undefined],
  ['a policy of other pods', [policy({ podSelector: { matchLabels: { app: 'x' } } })], undefined],
  ['Egress alone does not isolate what comes in', [policy({ policyTypes: ['Egress'] })], undefined],
  ['an empty rule lets everybody in', [policy({ ingress: [{}] })], undefined],
  ['no rule lets nobody in', [policy({ ingress: [] })], 'in'],
  ['rules of several policies add up', [policy({}), policy({ ingress: [{}] })], undefined],
  ['pods of its own namespace only', [policy({ ingress: [{ from: [{ podSelector: {} }] }] })], 'in'],
  [
    'a namespace by the label that it always has',
    [
      policy({
        ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] }],
      }),
    ],
    undefined,
  ],
  [
    'a namespace by its own label',
    [policy({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'sre' } } }] }] })],
    undefined,
  ],
  [
    'a namespace with another label',
    [policy({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'dev' } } }] }] })],
    'in',
  ],
  ['every namespace', [policy({ ingress: [{ from: [{ namespaceSelector: {} }] }] })], undefined],
  [
    'both selectors of one peer hold together',
    [policy({ ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'x' } } }] }] })],
    'in',
  ],
  [
    'of two peers one is enough',
    [policy({ ingress: [{ from: [{ namespaceSelector: {} }, { podSelector: { matchLabels: { app: 'x' } } }] }] })],
    undefined,
  ],
  ['an address block', [policy({ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/16' } }] }] })], undefined],
  [
    'an address block with an exception',
    [policy({ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/16', except: ['10.0.9.0/24'] } }] }] })],
    'in',
  ],
  ['the port', [policy({ ingress: [{ ports: [{ port: 9464 }] }] })], undefined],
  ['another port', [policy({ ingress: [{ ports: [{ port: 8080 }] }] })], 'in'],
  ['the port of UDP', [policy({ ingress: [{ ports: [{ port: 9464, protocol: 'UDP' }] }] })], 'in'],
  ['a range of ports', [policy({ ingress: [{ ports: [{ port: 9000, endPort: 9999 }] }] })], undefined],
  ['a named port of the pod', [policy({ ingress: [{ ports: [{ port: 'metrics' }] }] })], undefined],
  ['any port of TCP', [policy({ ingress: [{ ports: [{ protocol: 'TCP' }] }] })], undefined],
  [
    'matchExpressions',
    [policy({ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['orders'] }] } })],
    undefined,
  ],
  ["the scraper's own way out", [policy({ policyTypes: ['Egress'], egress: [] }, 'monitoring')], 'out'],
  [
    'a way out to the namespace',
    [policy({ egress: [{ to: [{ namespaceSelector: {} }] }], policyTypes: ['Egress'] }, 'monitoring')],
    undefined,
  ],
];

for (const [what, policies, way] of TABLE)
  test(`NetworkPolicy: ${what}: ${way === undefined ? 'allowed' : `forbidden on the way ${way}`}`, () => {
    assert.equal(forbiddenBy(policies, connection)?.way, way);
  });

test("NetworkPolicy: none isolates a pod in the host's network, where most plugins apply none", () => {
  assert.equal(forbiddenBy([policy({})], { ...connection, to: onHost(connection.to) }), undefined);
  const egress = policy({ policyTypes: ['Egress'], egress: [] }, 'monitoring');
  assert.equal(forbiddenBy([egress], { ...connection, from: onHost(connection.from) }), undefined);
});
