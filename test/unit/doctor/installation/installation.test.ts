import assert from 'node:assert/strict';
import { createServer, request as requestHttp } from 'node:http';
import { duplexPair } from 'node:stream';
import { after, before, suite, test } from 'node:test';
import { createSecureContext, TLSSocket } from 'node:tls';
import { decide } from '../../../../src/core/decide.ts';
import { objectIn } from '../../../../src/core/json.ts';
import { createClusterReader } from '../../../../src/doctor/object-cache.ts';
import { INSTALLATION_FINDINGS } from '../../../../src/doctor/finding.ts';
import type { Line } from '../../../../src/doctor/finding.ts';
import { checkInstallation } from '../../../../src/doctor/installation/installation.ts';
import { toResult } from '../../../../src/kube/client.ts';
import type { ApiRequest, Kube } from '../../../../src/kube/client.ts';
import { VERSION } from '../../../../src/process/version.ts';
import { defaultRules } from '../../../../src/rules/shipped.ts';
import { createAuthority } from '../../../../src/webhook/certificate-authority.ts';
import { listenOnLoopback } from '../../../harness/process/listen.ts';

// A stand-in for the API server, so that each thing that it may say is said; test/cluster makes the faults on a real node.

/** The handshake goes by the real clock. */
const NOW = Date.now();
const DAY = 24 * 60 * 60_000;
const NAMES = ['autoscrape-webhook.autoscrape.svc'];
const authority = createAuthority();

function labels(component: string) {
  return {
    'app.kubernetes.io/name': 'autoscrape',
    'app.kubernetes.io/instance': 'autoscrape',
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/version': VERSION,
    'helm.sh/chart': `autoscrape-${VERSION}`,
  };
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

function leaseOf(renewed: number): object {
  const renewTime = new Date(renewed).toISOString();
  return { spec: { holderIdentity: 'autoscrape-reconciler-1_x', leaseDurationSeconds: 15, renewTime } };
}

/** What the stand-in has, of an installation that works, on two nodes. */
function healthy() {
  const valid = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 60 * DAY) };
  return {
    configurations: [
      {
        metadata: { name: 'autoscrape', labels: labels('webhook') },
        webhooks: [
          {
            name: 'pods.autoscrape.io',
            namespaceSelector: { matchLabels: { team: 'shop' } },
            clientConfig: {
              caBundle: base64(authority.certificate),
              service: { namespace: 'autoscrape', name: 'autoscrape-webhook' },
            },
          },
        ],
      } as {
        metadata: { name: string; labels: object; annotations?: object };
        webhooks: {
          name: string;
          namespaceSelector: object;
          objectSelector?: object;
          clientConfig: Record<string, unknown>;
        }[];
      },
    ],
    pair: authority.issue({ names: NAMES, ...valid }),
    endpoints: [
      { conditions: { ready: true }, nodeName: 'a' },
      { conditions: { ready: true }, nodeName: 'b' },
    ],
    webhook: { version: VERSION, args: ['serve'] },
    hasReconciler: true,
    /** A Deployment of another release. */
    others: [] as object[],
    /** The labels of the pod that was created as a dry run. */
    podLabels: undefined as unknown,
    lease: leaseOf(NOW - 1000) as object | undefined,
    mayNot: [] as string[],
    pass: 1,
    bindings: [{ spec: { policyName: 'autoscrape-reconciler', validationActions: ['Deny'] } }],
    rulesProblem: undefined as string | undefined,
    endsByMetrics: NOW + 60 * DAY,
    /** The API server's clock. */
    time: NOW,
    annotates: true,
    forbidden: [] as string[],
  };
}

type World = ReturnType<typeof healthy>;

function items(list: readonly unknown[]) {
  return { kind: 'List', metadata: {}, items: list };
}

function annotationsOf(pod: unknown) {
  const decision = decide(pod, defaultRules(), { namespace: 'shop' });
  return decision.outcome === 'annotate' ? decision.annotations : {};
}

function deployment(component: string, args: readonly string[], version: string) {
  return {
    metadata: {
      name: `autoscrape-${component}`,
      namespace: 'autoscrape',
      labels: { ...labels(component), 'app.kubernetes.io/version': version },
    },
    spec: { template: { spec: { serviceAccountName: `autoscrape-${component}`, containers: [{ args }] } } },
  };
}

function pod(component: string) {
  return {
    metadata: { name: `autoscrape-${component}-1`, labels: labels(component) },
    spec: { containers: [{ ports: [{ name: component, containerPort: 10250 }] }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function answerOf(world: World, { path, body }: ApiRequest): unknown {
  const last = path.split('/').at(-1) ?? '';
  switch (last) {
    case 'mutatingwebhookconfigurations':
      return items(world.configurations);
    case 'endpointslices':
      return items([{ endpoints: world.endpoints }]);
    case 'deployments':
      return items([
        ...(world.webhook.version === '' ? [] : [deployment('webhook', world.webhook.args, world.webhook.version)]),
        ...(world.hasReconciler ? [deployment('reconciler', ['reconcile'], VERSION)] : []),
        ...world.others,
      ]);
    case 'pods':
      if (body === undefined) return items([pod('webhook'), pod('reconciler')]);
      world.podLabels = objectIn(objectIn({ body }, 'body'), 'metadata')['labels'];
      return { metadata: { annotations: world.annotates ? annotationsOf(body) : {} } };
    case 'autoscrape-reconciler':
      return world.lease;
    case 'validatingadmissionpolicies':
      return items([{ metadata: { name: 'autoscrape-reconciler' } }]);
    case 'validatingadmissionpolicybindings':
      return items(world.bindings);
    case 'namespaces':
      return items([{ metadata: { name: 'shop', labels: { team: 'shop' } } }]);
    case 'subjectaccessreviews': {
      const { spec } = body as { spec: { resourceAttributes: { verb: string; resource: string } } };
      const { verb, resource } = spec.resourceAttributes;
      return { status: { allowed: !world.mayNot.includes(`${verb} ${resource}`) } };
    }
    default:
      return undefined;
  }
}

function ids(lines: readonly Line[]): string[] {
  return lines.flatMap((line) => ('id' in line ? [line.id] : []));
}

function client({ configurations }: World): Record<string, unknown> {
  return configurations[0]?.webhooks[0]?.clientConfig ?? {};
}

/** Has the release be called metrics, and its reconciler lack a right. */
function withAnnotations(annotations: object) {
  return ({ configurations: [first], mayNot }: World): void => {
    if (first !== undefined) {
      first.metadata.annotations = annotations;
      first.metadata.labels = { ...first.metadata.labels, 'app.kubernetes.io/instance': 'metrics' };
    }
    mayNot.push('list pods');
  };
}

function todoOf(lines: readonly Line[]): string {
  const found = lines.find((line) => 'id' in line);
  return found !== undefined && 'todo' in found ? found.todo : '';
}

/** Returns a Deployment of another release, in a namespace of its own. */
function other(component: string): object {
  const { metadata, ...rest } = deployment(component, [], VERSION);
  const labelsOfOther = { ...metadata.labels, 'app.kubernetes.io/instance': 'second' };
  return { ...rest, metadata: { ...metadata, namespace: 'second', labels: labelsOfOther } };
}

function withSelector(objectSelector: object) {
  return ({ configurations }: World): void => {
    for (const webhook of configurations[0]?.webhooks ?? []) webhook.objectSelector = objectSelector;
  };
}

suite('the installation', () => {
  let world = healthy();
  const server = createServer((call, response) => {
    if (world.forbidden.some((part) => call.url?.includes(part))) response.statusCode = 403;
    response.setHeader('date', new Date(world.time).toUTCString());
    response.end(
      call.url === '/metrics'
        ? 'apiserver_admission_webhook_fail_open_count{name="pods.autoscrape.io",type="admit"} 3\napiserver_admission_webhook_fail_open_count{name="other.example"} 5\n'
        : `autoscrape_tls_certificate_not_after_timestamp_seconds ${world.endsByMetrics / 1000}\nautoscrape_reconcile_last_full_pass_timestamp_seconds ${world.pass}\nautoscrape_reconcile_pods{plan="annotate"} 4\n`,
    );
  });
  let base = '';
  let stop: (() => unknown) | undefined;
  before(async () => {
    base = `http://127.0.0.1:${await listenOnLoopback({ after: (end) => (stop = end) }, server)}`;
  });

  after(() => stop?.());

  async function look(change: (world: World) => void): Promise<readonly Line[]> {
    world = healthy();
    change(world);
    const kube: Pick<Kube, 'request' | 'open' | 'forward'> = {
      request(call) {
        const isForbidden = world.forbidden.some((part) => call.path.includes(part));
        const found = answerOf(world, call);
        if (isForbidden)
          return Promise.resolve(
            toResult({ status: 403, body: { message: `User "x" cannot create resource in ${call.path}` } }),
          );
        if (found === undefined) return Promise.resolve(toResult({ status: 404, body: {} }));
        for (const item of (found as { items?: unknown[] }).items ?? []) call.onItem?.(item);
        return Promise.resolve(toResult({ status: 200, body: found }));
      },
      open: (path) => Promise.resolve(requestHttp(base + path)),
      forward() {
        if (world.forbidden.includes('portforward'))
          return Promise.reject(new Error('Unexpected server response: 403'));
        const [ours, theirs] = duplexPair();
        const { certificate, key } = world.pair;
        new TLSSocket(theirs, {
          isServer: true,
          secureContext: createSecureContext({ cert: certificate, key }),
        }).on('error', () => undefined);
        return Promise.resolve(ours);
      },
    };
    const { lines } = await checkInstallation({
      kube,
      cluster: createClusterReader(kube, AbortSignal.timeout(10_000)),
      rules:
        world.rulesProblem === undefined
          ? { ok: true, value: defaultRules() }
          : { ok: false, error: world.rulesProblem },
      namespace: undefined,
      now: NOW,
    });
    return lines;
  }

  test('of two nodes, all well, has ticks alone, and says how often the API server left the webhook out', async () => {
    const lines = await look(() => undefined);
    assert.deepEqual(
      lines.filter(({ state }) => state !== 'ok'),
      [],
    );
    assert.ok(lines.some(({ title }) => title === 'since it started, the API server has left the webhook out 3 times'));
    assert.ok(lines.some(({ title }) => title === 'the reconciler leads, and has looked at 4 pods'));
  });

  const faults: readonly (readonly [
    what: string,
    id: keyof typeof INSTALLATION_FINDINGS,
    change: (world: World) => void,
  ])[] = [
    [
      'nothing of it is there',
      'not-installed',
      (w) => {
        w.configurations = [];
        w.webhook.version = '';
        w.hasReconciler = false;
      },
    ],
    ['its configuration was deleted', 'webhook-not-configured', (w) => (w.configurations = [])],
    ['cainjector has not filled in the CA', 'webhook-ca-missing', (w) => delete client(w)['caBundle']],
    [
      'the CA is of another authority',
      'webhook-ca-mismatch',
      (w) => (client(w)['caBundle'] = base64(createAuthority().certificate)),
    ],
    [
      'the certificate has expired',
      'webhook-certificate-expired',
      (w) => (w.pair = authority.issue({ names: NAMES, notBefore: new Date(0), notAfter: new Date(DAY) })),
    ],
    [
      'the certificate is for another name',
      'webhook-certificate-name',
      (w) => (w.pair = authority.issue({ names: ['other.example'] })),
    ],
    [
      'the certificate ends soon',
      'webhook-certificate-ends',
      (w) => (w.pair = authority.issue({ names: NAMES, notAfter: new Date(NOW + DAY) })),
    ],
    ['no endpoint is ready', 'webhook-not-ready', (w) => (w.endpoints = [])],
    ['all endpoints are on one node', 'webhook-one-node', (w) => w.endpoints.pop()],
    [
      "Istio's injector comes first",
      'webhook-after-istio',
      (w) => {
        const [ours] = w.configurations;
        if (ours !== undefined) ours.metadata.name = 'scrape';
        w.configurations.push({ metadata: { name: 'istio-sidecar-injector', labels: {} }, webhooks: [] });
      },
    ],
    ['the webhook only observes', 'webhook-observes', (w) => w.webhook.args.push('--observe')],
    ['the pod comes back as it was', 'webhook-not-called', (w) => (w.annotates = false)],
    ['the rules are broken', 'rules-invalid', (w) => (w.rulesProblem = 'invalid:\nConfigMap a/b:3: unknown key "wen"')],
    ['the reconciler must not list pods', 'reconciler-no-rights', (w) => w.mayNot.push('list pods')],
    ['nobody holds the Lease', 'reconciler-not-leading', (w) => (w.lease = undefined)],
    ['the first pass is not over', 'reconciler-not-listed', (w) => (w.pass = 0)],
    ['the policy is not bound', 'guard-not-bound', (w) => (w.bindings = [])],
    ['the webhook is older', 'versions-differ', (w) => (w.webhook.version = '0.0.1')],
  ];

  for (const [what, id, change] of faults)
    test(`${what}: ${id} is named, with a remedy, and nothing else`, async () => {
      const lines = await look(change);
      assert.deepEqual(ids(lines), [id]);
      const found = lines.find((line) => 'id' in line);
      assert.ok(found !== undefined && 'todo' in found && found.todo !== '' && !/undefined|NaN/.test(found.todo));
      assert.equal(found.state, INSTALLATION_FINDINGS[id]);
    });

  test('where no connection to the webhook may be opened, its metrics say until when the certificate is valid', async () => {
    const end = (w: World, days: number): void => {
      w.forbidden.push('portforward');
      w.endsByMetrics = NOW + days * DAY;
    };
    assert.deepEqual(ids(await look((w) => end(w, -1))), ['webhook-certificate-expired']);
    assert.deepEqual(ids(await look((w) => end(w, 2))), ['webhook-certificate-ends']);
    const lines = await look((w) => end(w, 60));
    const until = new Date(NOW + 60 * DAY).toISOString().slice(0, 16);
    assert.ok(lines.some((line) => line.state === 'unchecked' && line.title.endsWith(`valid until ${until}Z`)));
    // No date.
    for (const days of [Number.NaN, Number.POSITIVE_INFINITY, 1e12])
      assert.ok((await look((w) => end(w, days))).some(({ title }) => title.endsWith("webhook's certificate")));
  });

  test('a pod with an address of each IP family is one endpoint', async () => {
    const endpoint = { conditions: { ready: true }, nodeName: 'a', targetRef: { kind: 'Pod', name: 'webhook-1' } };
    const lines = await look((w) => {
      w.endpoints = [endpoint, { ...endpoint }];
    });
    const found = lines.find(({ title }) => title === '1 pod of the webhook ready, on one node');
    assert.ok(found !== undefined && 'todo' in found && found.todo.endsWith('webhook.replicas=2'));
  });

  test('a clock that is an hour fast takes no Lease for one that nobody renews', async () => {
    const idsAt = async (time: number): Promise<readonly string[]> =>
      ids(
        await look((w) => {
          w.lease = leaseOf(NOW - 3_600_000);
          w.time = time;
        }),
      );
    assert.deepEqual(await idsAt(NOW - 3_599_000), []);
    assert.deepEqual(await idsAt(NOW), ['reconciler-not-leading']);
  });

  test('of two releases each is looked at', async () => {
    const lines = await look(({ configurations }) => {
      const [first] = configurations;
      if (first !== undefined)
        configurations.push({
          metadata: { ...first.metadata, name: 'autoscrape-second' },
          webhooks: first.webhooks.map((webhook) => ({
            ...webhook,
            clientConfig: { ...webhook.clientConfig, caBundle: base64(createAuthority().certificate) },
          })),
        });
    });
    assert.deepEqual(ids(lines), ['webhook-ca-mismatch']);
    assert.ok(lines.some(({ title }) => title === 'MutatingWebhookConfiguration autoscrape is there'));
    const found = lines.find((line) => 'id' in line);
    assert.ok(found !== undefined && 'because' in found && found.because.includes('autoscrape-second'));
  });

  test('a remedy names the release as Helm knows it, and none to Helm where Helm keeps no release', async () => {
    const helms = { 'meta.helm.sh/release-name': 'metrics', 'meta.helm.sh/release-namespace': 'releases' };
    assert.match(
      todoOf(await look(withAnnotations(helms))),
      /: helm upgrade metrics \.\/chart -n releases --reset-then-reuse-values$/,
    );
    assert.match(
      todoOf(await look(withAnnotations({}))),
      /: render release metrics of namespace autoscrape again and apply it \(Helm keeps no/,
    );
  });

  test('a release whose webhook is switched off is named beside one that is well, and the sample is none', async () => {
    const lines = await look(({ others }) => others.push(other('reconciler'), other('webhook'), other('sample')));
    assert.deepEqual(ids(lines), ['webhook-not-configured']);
    const found = lines.find((line) => 'id' in line);
    assert.ok(found !== undefined && 'because' in found);
    assert.match(
      found.because,
      /of release second in namespace second: .* Its reconciler annotates pods once they run\./,
    );
    assert.match(found.todo, /render release second of namespace second again with webhook\.enabled=true/);
    assert.deepEqual(ids(await look(({ others }) => others.push(other('sample')))), []);
  });

  test('without a configuration, and where Deployments must not be read, it is not said that there is a release', async () => {
    const lines = await look((w) => {
      w.configurations = [];
      w.forbidden.push('deployments');
    });
    const found = lines.find((line) => 'id' in line);
    assert.ok(found !== undefined && 'because' in found);
    assert.match(found.because, /autoscrape is not installed, or somebody used the emergency stop/);
    assert.doesNotMatch(found.todo, /upgrade autoscrape/);
  });

  test('the pod of the dry run has the labels that the selector for pods wants', async () => {
    const expressions = [
      { key: 'tier', operator: 'In', values: ['web', 'api'] },
      { key: 'monitored', operator: 'Exists' },
      { key: 'track', operator: 'NotIn', values: ['canary'] },
    ];
    const lines = await look(withSelector({ matchLabels: { team: 'a' }, matchExpressions: expressions }));
    assert.deepEqual(ids(lines), []);
    assert.deepEqual(world.podLabels, {
      'autoscrape.io/port': 'metrics',
      team: 'a',
      tier: 'web',
      monitored: 'true',
    });
    const impossible = await look(
      withSelector({ matchExpressions: [{ key: 'autoscrape.io/port', operator: 'DoesNotExist' }] }),
    );
    assert.ok(
      impossible.some((line) => line.state === 'unchecked' && line.needs.startsWith('labels that the webhook')),
    );
    assert.deepEqual(
      ids(
        await look((w) => {
          withSelector({ matchLabels: { tier: 'web' } })(w);
          w.annotates = false;
        }),
      ),
      ['webhook-not-called'],
    );
  });

  test('every finding about the installation is in the table above', () => {
    assert.deepEqual(Object.keys(INSTALLATION_FINDINGS).toSorted(), faults.map(([, id]) => id).toSorted());
  });

  test('what must not be read is not checked, says the right that is missing, and is no finding', async () => {
    const rights = [
      ['mutatingwebhookconfigurations', 'list on mutatingwebhookconfigurations'],
      ['endpointslices', 'list on endpointslices in namespace autoscrape'],
      ['portforward', 'create on pods/portforward in namespace autoscrape'],
      ['subjectaccessreviews', 'create on subjectaccessreviews'],
      ['leases', 'get on leases in namespace autoscrape'],
      ['reconciler-1:', 'get on pods/proxy in namespace autoscrape'],
      ['validatingadmissionpolicybindings', 'list on validatingadmissionpolicybindings'],
      ['shop/pods', 'create on pods in namespace shop'],
      ['/metrics', 'get on the path /metrics'],
    ] as const;
    for (const [part, needs] of rights) {
      const lines = await look((w) => w.forbidden.push(part));
      assert.deepEqual(ids(lines), [], part);
      assert.ok(
        lines.some((line) => line.state === 'unchecked' && line.needs === needs),
        `${part}: ${JSON.stringify(lines.filter(({ state }) => state !== 'ok'))}`,
      );
    }
  });
});
