import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { workloadKey } from '../../../../src/core/ask/workload-key.ts';

interface Changed {
  readonly metadata?: object;
  readonly container?: object;
  readonly spec?: object;
  readonly status?: object;
}

function key({ metadata, container, spec, status }: Changed = {}, namespace = 'shop'): string | undefined {
  return workloadKey(
    namespace,
    {
      metadata: { name: 'a-1', uid: '1', ...metadata },
      spec: {
        containers: [
          {
            name: 'app',
            image: 'app:1',
            args: ['--x'],
            env: [{ name: 'A', value: 'b' }],
            ports: [{ containerPort: 8080, name: 'http' }],
            volumeMounts: [{ name: 'code', mountPath: '/code' }],
            ...container,
          },
          { name: 'beside', image: 'b' },
        ],
        volumes: [{ name: 'code', configMap: { name: 'code' } }],
        ...spec,
      },
      status: { containerStatuses: [{ name: 'app', imageID: 'sha256:1' }], ...status },
    },
    'app',
  );
}

const SAME: readonly (readonly [string, Changed])[] = [
  ["the replica's own name and address", { metadata: { name: 'a-2', uid: '2' }, spec: { nodeName: 'n' } }],
  ['the order of keys', { container: { ports: [{ name: 'http', containerPort: 8080 }] } }],
  ['empty lists and absent ones', { container: { command: [], envFrom: null, workingDir: '' } }],
  ['resources', { container: { resources: { limits: { cpu: '1' } } } }],
  [
    "the token's volume",
    {
      container: {
        volumeMounts: [
          { name: 'kube-api-access-x', mountPath: '/t' },
          { name: 'code', mountPath: '/code' },
        ],
      },
      spec: {
        volumes: [
          { name: 'kube-api-access-x', projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }] } },
          { name: 'code', configMap: { name: 'code' } },
        ],
      },
    },
  ],
  ['a tag that leads to the same image', { container: { image: 'app:latest' } }],
];

const OTHER: readonly (readonly [string, Changed])[] = [
  ['the image', { status: { containerStatuses: [{ name: 'app', imageID: 'sha256:2' }] } }],
  ['the command', { container: { command: ['/x'] } }],
  ['the arguments', { container: { args: ['--y'] } }],
  ['a variable, such as the one that switches metrics on', { container: { env: [{ name: 'A', value: 'c' }] } }],
  [
    'where a variable comes from',
    { container: { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } }] } },
  ],
  ['all variables of a ConfigMap', { container: { envFrom: [{ configMapRef: { name: 'c' } }] } }],
  ['a port', { container: { ports: [{ containerPort: 8081, name: 'http' }] } }],
  ['a probe', { container: { livenessProbe: { httpGet: { port: 8080, path: '/' } } } }],
  ['the ConfigMap that is mounted', { spec: { volumes: [{ name: 'code', configMap: { name: 'other' } }] } }],
  ['a Secret in its place', { spec: { volumes: [{ name: 'code', secret: { secretName: 'code' } }] } }],
  ['where it is mounted', { container: { volumeMounts: [{ name: 'code', mountPath: '/other' }] } }],
  [
    'a projected Secret',
    { spec: { volumes: [{ name: 'code', projected: { sources: [{ secret: { name: 's' } }] } }] } },
  ],
];

for (const [what, changed] of SAME) test(`${what} does not change the key`, () => assert.equal(key(changed), key()));
for (const [what, changed] of OTHER) test(`${what} changes the key`, () => assert.notEqual(key(changed), key()));

test("another namespace's answer is never this one's", () => {
  assert.notEqual(key({}, 'shop'), key({}, 'other'));
});

test('before the image is known, its name stands for it', () => {
  assert.notEqual(
    key({ status: { containerStatuses: [] } }),
    key({ status: { containerStatuses: [] }, container: { image: 'app:2' } }),
  );
});

test('a container that is not there has no key, and any JSON is read', () => {
  assert.equal(workloadKey('n', {}, 'app'), undefined);
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const pod = {
        spec: { containers: [{ name: 'app', env: json, volumeMounts: json }], volumes: json },
        status: json,
      };
      assert.equal(typeof workloadKey('n', pod, 'app'), 'string');
    }),
  );
});
