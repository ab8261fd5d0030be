import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ApiResponse, Kube } from '../../../src/kube/client.ts';
import { createLog } from '../../../src/process/log.ts';
import { createFailureLog } from '../../../src/reconcile/failure-log.ts';
import { createServices } from '../../../src/reconcile/services.ts';
import type { Services } from '../../../src/reconcile/services.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { fakeKube, listOf } from '../kube/fake-kube.ts';

interface Changed {
  readonly namespace?: string;
  readonly annotations?: object;
  readonly spec?: object;
}

function serviceNamed(name: string, { namespace = 'shop', annotations = {}, spec = {} }: Changed = {}): object {
  return {
    metadata: { name, namespace, labels: { team: 'a' }, annotations: { note: 'x', ...annotations } },
    spec: { type: 'ClusterIP', selector: { app: name }, sessionAffinity: 'None', ...spec },
  };
}

interface Running {
  readonly services: Services;
  readonly failed: string[];
  readonly logged: string[];
  /** Namespace and label selector of each Service that has changed. */
  readonly changed: string[];
}

/** Runs on these Services until the test ends, and sends the events once they are listed. */
function start(t: TestContext, listed: readonly object[], events: readonly object[] = []): Running {
  const watch = async function* (signal: AbortSignal): AsyncGenerator<unknown, void> {
    yield* events;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  return startOn(
    t,
    fakeKube(
      (request) => listOf(request, listed),
      (_, signal) => ({ status: 200, lines: watch(signal) }),
    ),
  );
}

function startOn(t: TestContext, kube: Kube): Running {
  const stop = new AbortController();
  const failed: string[] = [];
  const logged: string[] = [];
  const changed: string[] = [];
  const services = createServices({
    kube,
    metrics: { failed: (operation, { status }) => failed.push(`${operation} ${status}`) },
    failureLog: createFailureLog(createLog('info', { write: (line) => logged.push(line) })),
    relistMs: 600_000,
    onChange: (namespace, labelSelector) => changed.push(`${namespace} ${labelSelector}`),
    signal: stop.signal,
  });
  const running = services.run();
  t.after(async () => {
    stop.abort();
    await running;
  });
  return { services, failed, logged, changed };
}

function selecting(name: string, selector: object): object {
  return serviceNamed(name, { spec: { selector } });
}

function namesIn(services: Services, namespace = 'shop'): unknown[] {
  return services.inNamespace(namespace).map((service) => Object(service).metadata.name);
}

function areAddresses(services: Services, addresses: readonly string[]): boolean[] {
  return addresses.map((address) => services.isServiceAddress(address));
}

suite('the Services', { concurrency: true }, () => {
  test('only what is read of a Service is kept', async (t) => {
    const ports = [
      { name: 'http', appProtocol: 'http', protocol: 'TCP', port: 80, targetPort: 'web', nodePort: 30_000 },
      { port: 90 },
      { protocol: 'UDP', port: 53 },
    ];
    const { services } = start(t, [
      serviceNamed('a', { annotations: { 'prometheus.io/scrape': 'true' }, spec: { type: 'NodePort', ports } }),
    ]);
    await waitFor('the list', () => services.isListed());
    assert.deepEqual(services.inNamespace('shop'), [
      {
        metadata: { name: 'a', annotations: { 'prometheus.io/scrape': 'true' } },
        spec: {
          type: 'NodePort',
          selector: { app: 'a' },
          ports: [{ name: 'http', appProtocol: 'http', port: 80, targetPort: 'web' }, { port: 90 }],
        },
      },
    ]);
    assert.deepEqual(services.inNamespace('other'), []);
  });

  test('a Service that selects no pods has an address, and no ports to ask', async (t) => {
    const { services } = start(t, [
      serviceNamed('by-hand', { spec: { selector: undefined, clusterIP: '10.96.0.1' } }),
      serviceNamed('empty', { spec: { selector: {}, clusterIP: '10.96.0.2' } }),
      serviceNamed('outside', { spec: { type: 'ExternalName', externalName: 'example.com' } }),
    ]);
    await waitFor('the list', () => services.isListed());
    assert.deepEqual(services.inNamespace('shop'), []);
    assert.deepEqual(areAddresses(services, ['10.96.0.1', '10.96.0.2', '']), [true, true, false]);
  });

  test('every cluster IP is a Service address, "None" is not', async (t) => {
    const { services } = start(t, [
      serviceNamed('both', { spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'] } }),
      serviceNamed('headless', { spec: { clusterIP: 'None', clusterIPs: ['None'] } }),
    ]);
    await waitFor('the list', () => services.isListed());
    assert.deepEqual(areAddresses(services, ['10.96.0.1', 'fd00::1', 'None', '10.96.0.2']), [true, true, false, false]);
  });

  test('changes are followed: added, changed and deleted', async (t) => {
    const first = serviceNamed('a', { spec: { clusterIP: '10.96.0.1' } });
    const { services } = start(
      t,
      [first, serviceNamed('b', { spec: { clusterIP: '10.96.0.2' } })],
      [
        { type: 'DELETED', object: first },
        { type: 'MODIFIED', object: serviceNamed('b', { spec: { clusterIP: '10.96.0.3' } }) },
        // The address of a deleted Service can belong to the next one.
        { type: 'ADDED', object: serviceNamed('c', { spec: { clusterIP: '10.96.0.1' } }) },
      ],
    );
    await waitFor('the last change', () => namesIn(services).includes('c'));
    assert.deepEqual(namesIn(services), ['b', 'c']);
    assert.deepEqual(areAddresses(services, ['10.96.0.1', '10.96.0.2', '10.96.0.3']), [true, false, true]);
  });

  test('who selects the same pods in the same way as before has not changed', async (t) => {
    const { services, changed } = start(
      t,
      [selecting('a', { app: 'a' }), selecting('b', { app: 'b', tier: 'web' }), selecting('c', { app: 'c' })],
      [
        {
          type: 'MODIFIED',
          object: serviceNamed('a', { annotations: { note: 'y' }, spec: { clusterIP: '10.96.0.1' } }),
        },
        { type: 'MODIFIED', object: serviceNamed('b', { spec: { selector: { app: 'new' } } }) },
        { type: 'MODIFIED', object: serviceNamed('c', { annotations: { 'prometheus.io/scrape': 'true' } }) },
        { type: 'DELETED', object: serviceNamed('c') },
        { type: 'ADDED', object: serviceNamed('d', { spec: { selector: undefined, clusterIP: '10.96.0.2' } }) },
        { type: 'ADDED', object: serviceNamed('e') },
      ],
    );
    await waitFor('the last change', () => namesIn(services).includes('e'));
    assert.deepEqual(changed, ['shop app=b,tier=web', 'shop app=new', 'shop app=c', 'shop app=c', 'shop app=e']);
  });

  test('a Service that a later list does not contain is forgotten', async (t) => {
    const lists = [
      [serviceNamed('a', { spec: { clusterIP: '10.96.0.1' } }), serviceNamed('b')],
      [serviceNamed('b'), serviceNamed('c', { namespace: 'other', spec: { clusterIP: '10.96.0.3' } })],
    ];
    let at = 0;
    const { services, changed } = startOn(
      t,
      fakeKube(
        (request) => listOf(request, lists[at++] ?? lists[1] ?? []),
        (_, signal) => ({ status: 200, lines: at === 1 ? expired() : endless(signal) }),
      ),
    );
    await waitFor('the second list', () => services.isServiceAddress('10.96.0.3'));
    await waitFor('its end', () => !services.isServiceAddress('10.96.0.1'));
    assert.deepEqual([namesIn(services), namesIn(services, 'other')], [['b'], ['c']]);
    assert.deepEqual(changed, ['other app=c', 'shop app=a']);
  });

  test('no more than 5,000 Services of a namespace and 20,000 in all are kept, nor 100 ports of one', async (t) => {
    const ports = Array.from({ length: 200 }, (_, index) => ({ port: index + 1 }));
    const selector = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`k${index}`, 'v']));
    const many = Array.from({ length: 36_000 }, (_, index) =>
      serviceNamed(`s-${index}`, { namespace: `n-${Math.floor(index / 6000)}`, spec: { clusterIP: String(index) } }),
    );
    const { services } = start(t, [
      serviceNamed('ports', { spec: { ports } }),
      serviceNamed('labels', { spec: { selector } }),
      ...many,
    ]);
    await waitFor('the list', () => services.isListed());
    const kept = Array.from({ length: 6 }, (_, index) => services.inNamespace(`n-${index}`).length);
    assert.deepEqual(kept, [5000, 5000, 5000, 4998, 0, 0]);
    assert.deepEqual(
      services.inNamespace('shop').map((service) => Object(service).spec.ports.length),
      [100],
    );
    assert.equal(services.isServiceAddress('5999'), false);
  });

  test('without the right to list Services the failure is counted and logged once', async (t) => {
    const forbidden: ApiResponse = { status: 403, body: { message: 'services is forbidden' } };
    const { services, failed, logged } = startOn(
      t,
      fakeKube(() => forbidden),
    );
    await waitFor('two attempts', () => failed.length >= 2);
    assert.equal(services.isListed(), false);
    assert.equal(failed[0], 'list services 403');
    assert.deepEqual(
      logged.map((line) => JSON.parse(line).what),
      ['services'],
    );
  });

  test('a pod gets the Services that select it, and of thousands only a hundred', async (t) => {
    const many = Array.from({ length: 300 }, (_, index) => selecting(`many-${index}`, { app: 'many' }));
    const { services } = start(t, [
      selecting('a', { app: 'a' }),
      selecting('both', { app: 'a', tier: 'web' }),
      selecting('b', { app: 'b' }),
      selecting('none', {}),
      ...many,
    ]);
    await waitFor('the list', () => services.isListed());
    const of = (labels: Record<string, string>) =>
      services.inNamespace('shop', new Map(Object.entries(labels))).map((service) => Object(service).metadata.name);
    assert.deepEqual(of({ app: 'a', tier: 'web' }), ['a', 'both']);
    assert.deepEqual(of({ app: 'a' }), ['a']);
    assert.deepEqual(of({}), []);
    assert.equal(of({ app: 'many' }).length, 100);
  });
});

async function* expired(): AsyncGenerator<unknown, void> {
  yield { type: 'ERROR', object: { code: 410 } };
}

async function* endless(signal: AbortSignal): AsyncGenerator<unknown, void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  yield* [];
}
