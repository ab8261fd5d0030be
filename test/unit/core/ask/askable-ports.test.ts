import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readAskedPod } from '../../../../src/core/ask/asked-pod.ts';
import { askablePorts, podRefusal } from '../../../../src/core/ask/askable-ports.ts';
import type { AskMode } from '../../../../src/core/ask/askable-ports.ts';
import { NEVER_ASK, neverByName, neverByNumber } from '../../../../src/core/ask/never-asked-ports.ts';
import { annotatedService, servicePorts } from '../../../../src/core/ask/service-ports.ts';

/** A port as `name:number`, `:number` or `name:number/UDP`. */
function port(spec: string): object {
  const [, name = '', number, protocol] = /^([^:]*):(\d+)(?:\/(\w+))?$/.exec(spec) ?? [];
  return { ...(name !== '' && { name }), containerPort: Number(number), ...(protocol && { protocol }) };
}

interface Shape {
  readonly ports?: readonly string[];
  readonly more?: object;
  readonly spec?: object;
  readonly labels?: object;
  readonly services?: readonly object[];
  readonly mode?: AskMode;
  readonly never?: readonly number[];
}

function isInjected(container: string): boolean {
  return container === 'istio-proxy';
}

/** What is asked, as `number sign`, and what is not, as `number: why`. */
function judged({
  ports = [],
  more,
  spec,
  labels = { app: 'a' },
  services = [],
  mode = 'likely',
  never = [],
}: Shape): string {
  const pod = readAskedPod({
    metadata: { labels },
    spec: { containers: [{ name: 'app', ports: ports.map(port), ...more }], ...spec },
  });
  const found = askablePorts(pod, servicePorts(services, pod), { mode, never, isInjected });
  return [
    ...found.ask.map(({ number, sign }) => `${number} ${sign}`),
    ...found.never.map(({ number, why }) => `${number}: ${why}`),
  ].join(', ');
}

function probe(value: object): object {
  return { readinessProbe: { httpGet: value } };
}

function service(value: object, spec: object = {}): object {
  return { metadata: { name: 's' }, spec: { selector: { app: 'a' }, ports: [value], ...spec } };
}

const ROWS: readonly (readonly [what: string, shape: Shape, expected: string])[] = [
  ['a probed port', { ports: [':7777'], more: probe({ port: 7777 }) }, '7777 probed'],
  ['a probe by name', { ports: ['x:7777'], more: probe({ port: 'x' }) }, '7777 probed'],
  ['a probed port that is not declared', { more: probe({ port: 7777 }) }, '7777 probed'],
  ['a probe outweighs a name and a number', { ports: ['debug:5005'], more: probe({ port: 5005 }) }, '5005 probed'],
  ['a probe by TLS is no sign', { ports: [':7777'], more: probe({ port: 7777, scheme: 'HTTPS' }) }, ''],
  ['a probe of another host is none', { ports: [':7777'], more: probe({ port: 7777, host: '169.254.169.254' }) }, ''],
  ['a probe of a name that nobody has', { ports: [':7777'], more: probe({ port: 'y' }) }, ''],
  ['a TCP probe is no sign', { ports: [':7777'], more: { livenessProbe: { tcpSocket: { port: 7777 } } } }, ''],
  ['a gRPC probe', { ports: ['api:8080'], more: { livenessProbe: { grpc: { port: 8080 } } } }, '8080: grpc probe'],
  [
    'web words',
    { ports: ['http:1', 'web-ui:2', 'api2:3', 'my-app:4', 'healthz:5'] },
    '1 name, 2 name, 3 name, 4 name, 5 name',
  ],
  ['a name outweighs a number', { ports: ['http:3306', 'mysql:8080'] }, '3306 name, 8080: mysql'],
  ['a word that must not is not outweighed by one of the web', { ports: ['http-debug:8080'] }, '8080: debugger'],
  [
    'web numbers',
    { ports: [':80', ':3000', ':3010', ':3011', ':5000', ':8081', ':9999'] },
    '80 number, 3000 number, 3010 number, 5000 number, 8081 number, 9999 number',
  ],
  [
    'web numbers of the table',
    { ports: [':8443', ':9092', ':9042', ':8300'] },
    '8443: tls, 9092: kafka and zookeeper, 9042: binary, 8300: binary',
  ],
  ['a name that says nothing', { ports: ['main:8080', 'main2:7777'] }, '8080 number'],
  [
    'a port called tcp says nothing, tcp-x does',
    { ports: ['tcp:8080', 'tcp-x:8081'] },
    '8080 number, 8081: other protocol',
  ],
  ['UDP', { ports: ['http:8080/UDP'] }, ''],
  ['no number at all', { ports: ['x:7777'] }, ''],
  [
    'excluded by the user, though probed',
    { ports: [':9999'], more: probe({ port: 9999 }), never: [9999] },
    '9999: configured',
  ],
  [
    'probed before named before numbered',
    { ports: [':8080', 'web:81', ':7777'], more: probe({ port: 7777 }) },
    '7777 probed, 81 name, 8080 number',
  ],
  ['mode probed', { ports: [':8080', 'web:81', ':7777'], more: probe({ port: 7777 }), mode: 'probed' }, '7777 probed'],
  [
    'mode web',
    { ports: [':8080', 'web:81', ':7777'], more: probe({ port: 7777 }), mode: 'web' },
    '7777 probed, 81 name',
  ],
  [
    'mode all keeps the table',
    { ports: [':7777', 'x:12345', 'redis:1'], mode: 'all' },
    '7777 declared, 12345 declared, 1: redis',
  ],
  [
    'dlv',
    {
      ports: ['http:8080', ':8081'],
      more: { command: ['dlv', 'exec', '--listen=:8081', '/app', '--', '--port=8080'] },
    },
    '8080 name, 8081: debugger',
  ],
  [
    'dlv in a shell',
    { ports: ['http:8081'], more: { args: ['-c', '/go/bin/dlv --listen :8081 exec /app'] } },
    '8081: debugger',
  ],
  [
    'jdwp in a variable',
    {
      ports: ['http:8001'],
      more: {
        env: [{ name: 'JAVA_TOOL_OPTIONS', value: '-agentlib:jdwp=transport=dt_socket,server=y,address=*:8001' }],
      },
    },
    '8001: debugger',
  ],
  [
    'debugpy',
    { ports: ['api:8001'], more: { command: ['python', '-m', 'debugpy', '--listen', '0.0.0.0:8001', 'app.py'] } },
    '8001: debugger',
  ],
  [
    '--inspect',
    { ports: ['http:8001', 'http:8002'], more: { args: ['--inspect=0.0.0.0:8001', 'app.js', '8002'] } },
    '8002 name, 8001: debugger',
  ],
  [
    '--inspect and its port in two words',
    { ports: ['http:8001'], more: { args: ['--inspect', '8001'] } },
    '8001: debugger',
  ],
  [
    'dlv, and a variable that is not its own',
    { ports: ['http:8080'], more: { args: ['dlv', '--listen=:1'], env: [{ name: 'PORT', value: '8080' }] } },
    '8080 name',
  ],
  [
    '--inspect without a port',
    { ports: ['http:9229'], more: { env: [{ name: 'NODE_OPTIONS', value: '--inspect' }] } },
    '9229: debugger',
  ],
  ['an injected container', { spec: { containers: [{ name: 'istio-proxy', ports: [port('http:8080')] }] } }, ''],
  [
    'the agent that Istio has the kubelet probe',
    { more: probe({ port: 15_020, path: '/app-health/app/readyz' }) },
    '15020: injected',
  ],
  [
    'a native sidecar',
    {
      spec: {
        initContainers: [
          { name: 's', restartPolicy: 'Always', ports: [port('http:81')] },
          { name: 'i', ports: [port('http:82')] },
        ],
      },
    },
    '81 name',
  ],
  [
    'Knative',
    { ports: ['user-port:8080', ':8012', 'http:9090'], labels: { 'serving.knative.dev/revision': 'r' } },
    '8080 name, 8012: knative, 9090: knative',
  ],

  [
    'a port that only a Service names, with a web word',
    { services: [service({ name: 'http', port: 80, targetPort: 7777 })] },
    '7777 name',
  ],
  ['with a number only', { services: [service({ port: 80, targetPort: 8080 })] }, ''],
  [
    'by a name that the pod has',
    { ports: ['x:7777'], services: [service({ name: 'http-x', port: 80, targetPort: 'x' })] },
    '7777 name',
  ],
  ['by its appProtocol', { ports: ['x:7777'], services: [service({ appProtocol: 'http', port: 7777 })] }, '7777 name'],
  [
    'a Service says gRPC',
    { ports: [':8080'], services: [service({ appProtocol: 'grpc', port: 8080 })] },
    '8080: http/2',
  ],
  [
    'a Service says h2c, with its domain',
    { ports: [':8080'], services: [service({ appProtocol: 'kubernetes.io/h2c', port: 8080 })] },
    '8080: http/2',
  ],
  [
    "the pod's own name outweighs a Service's",
    { ports: ['http:8080'], services: [service({ name: 'https', port: 443, targetPort: 8080 })] },
    '8080 name',
  ],
  [
    'a probe outweighs a Service',
    { ports: [':8080'], more: probe({ port: 8080 }), services: [service({ name: 'grpc', port: 8080 })] },
    '8080 probed',
  ],
  ['a Service without selector', { services: [service({ name: 'http', port: 7777 }, { selector: undefined })] }, ''],
  ['an ExternalName', { services: [service({ name: 'http', port: 7777 }, { type: 'ExternalName' })] }, ''],
  ['a Service for others', { services: [service({ name: 'http', port: 7777 }, { selector: { app: 'b' } })] }, ''],
  ['a Service with UDP', { services: [service({ name: 'http', port: 7777, protocol: 'UDP' })] }, ''],
  [
    "a Service for the mesh's port",
    {
      spec: { containers: [{ name: 'istio-proxy', ports: [port('x:7777')] }] },
      services: [service({ name: 'http', port: 7777 })],
    },
    '',
  ],
];

for (const [what, shape, expected] of ROWS) {
  test(`${what}: ${expected === '' ? 'nothing' : expected}`, () => assert.equal(judged(shape), expected));
}

test('some pods are not asked at all', () => {
  const rows = [
    [{}, undefined],
    [{ spec: { hostNetwork: true } }, 'host_network'],
    [{ spec: { securityContext: { windowsOptions: { hostProcess: true } } } }, 'host_process'],
    [{ spec: { containers: [{ securityContext: { windowsOptions: { hostProcess: true } } }] } }, 'host_process'],
    [{ status: { podIP: '10.0.0.1', hostIP: '10.0.0.1' } }, 'host_address'],
    [{ status: { podIP: '10.0.0.2', hostIP: '10.0.0.1' } }, undefined],
    [{ spec: { runtimeClassName: 'zeropod' } }, 'scale_to_zero'],
    [{ spec: { runtimeClassName: 'gvisor' } }, undefined],
  ] as const;
  for (const [pod, expected] of rows) assert.equal(podRefusal(readAskedPod(pod)), expected, JSON.stringify(pod));
});

function annotated(value: string, selector: object): object {
  return { metadata: { name: 's', annotations: { 'prometheus.io/scrape': value } }, spec: { selector } };
}

test('names the Service that is scraped by its own annotation', () => {
  const pod = readAskedPod({ metadata: { labels: { app: 'a' } } });
  assert.equal(annotatedService([annotated('false', { app: 'a' }), annotated('true', { app: 'a' })], pod), 's');
  assert.equal(annotatedService([annotated('true', { app: 'b' }), annotated('true', {}), null], pod), undefined);
});

test('the table says no line twice, and each line has its reason and source', () => {
  const names = NEVER_ASK.flatMap(({ names }) => names);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  for (const { kind, why, source, numbers } of NEVER_ASK) {
    assert.ok(why.endsWith('.') && source.startsWith('https://'), kind);
    for (const number of numbers) {
      const first = typeof number === 'number' ? number : number[0];
      assert.equal(neverByNumber(first)?.kind, kind, String(first));
    }
  }
  for (const name of ['postgresql', 'sasl-plain', 'my-redis', 'redis-2', 'grpc-web', 'web-tls', 'DEBUG'])
    assert.ok(neverByName(name), name);
  for (const name of ['', 'tcp', 'debugging', 'http', 'masters', 'restic', 'apidb'])
    assert.equal(neverByName(name), undefined, name);
});

test('any JSON is read, and no port is asked that the table names', () => {
  const names = ['http', 'mysql', 'x', 'http-grpc', ''];
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom(...names),
      fc.integer({ min: 0, max: 70_000 }),
      (json, name, number) => {
        const pod = readAskedPod({
          metadata: json,
          spec: {
            containers: [
              json,
              { name: 'a', ports: [{ name, containerPort: number }, json], env: json, livenessProbe: json },
            ],
          },
          status: json,
        });
        const { ask } = askablePorts(pod, servicePorts([json], pod), {
          mode: 'all',
          never: [],
          isInjected: () => false,
        });
        for (const { number, sign, container } of ask) {
          assert.ok(number >= 1 && number <= 65_535);
          if (sign !== 'probed' && container?.name === 'a') assert.equal(neverByName(name), undefined);
        }
      },
    ),
  );
  for (const json of [undefined, null, 1, 'x', [], {}]) assert.deepEqual(readAskedPod(json).containers, []);
});
