import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { LabelSelector } from '../../../src/core/rules/selector.ts';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import { listenOnLoopback } from '../../harness/process/listen.ts';
import { configuration, reconciler } from '../manifest/release-objects.ts';

// A stand-in, because it has to refuse, to hang and to be empty. test/cluster/explain.test.ts asks the real API server.

interface Stored {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
    readonly uid?: string;
  };
  readonly [key: string]: unknown;
}

/** Objects by the path of their collection in a namespace, such as `apps/v1/deployments`. */
type Objects = Readonly<Record<string, readonly Stored[]>>;

interface Server {
  readonly kubeconfig: string;
  readonly paths: string[];
}

interface Answers {
  /** The status for requests whose path matches, which are refused. */
  readonly refuses?: readonly (readonly [path: RegExp, status: number, message: string])[];
  /** Nothing is ever answered. */
  readonly hangs?: boolean;
}

const CONFIGURATIONS = 'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

/** Starts an API server that has these objects, and a release with the chart's defaults unless they have another, and ends with the test. Lists leave out kinds, as the real one's do. */
async function start(t: TestContext, stored: Objects, { refuses = [], hangs = false }: Answers = {}): Promise<Server> {
  const paths: string[] = [];
  const objects: Objects = { [CONFIGURATIONS]: [configuration()], ...stored };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://here');
    paths.push(pathname + (searchParams.has('labelSelector') ? `?${searchParams.get('labelSelector')}` : ''));
    assert.equal(request.method, 'GET');
    if (hangs) return;
    const refused = refuses.find(([path]) => path.test(pathname));
    if (refused !== undefined) return json(response, refused[1], { kind: 'Status', message: refused[2] });
    const [, version = '', namespace, kind = '', name] =
      /^\/apis?\/(v1|[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/.exec(pathname) ?? [];
    const all = objects[`${version}/${kind}`];
    if (all === undefined && name === undefined)
      return json(response, kind.endsWith('monitors') ? 404 : 200, { metadata: {}, items: [] });
    const [key, value] = searchParams.get('labelSelector')?.split(',')[0]?.split('=') ?? [];
    const items = (all ?? []).filter(
      ({ metadata }) =>
        (namespace === undefined || metadata.namespace === namespace) &&
        (key === undefined || metadata.labels?.[key] === value),
    );
    if (name === undefined) return json(response, 200, { metadata: { resourceVersion: '1' }, items });
    const found = items.find(({ metadata }) => metadata.name === name);
    return found === undefined ? json(response, 404, { kind: 'Status', message: 'gone' }) : json(response, 200, found);
  });
  const port = await listenOnLoopback(t, server);
  return { kubeconfig: await kubeconfig(t, port), paths };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function kubeconfig(t: TestContext, port: number): Promise<string> {
  const file = join(await temporaryFolder(t), 'config');
  const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  await writeFile(
    file,
    JSON.stringify({
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'secret' } }],
      contexts: [
        { name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } },
        { name: 'elsewhere', context: { cluster: 'c', user: 'u', namespace: 'web' } },
      ],
      'current-context': 'x',
    }),
  );
  return file;
}

/** Returns the path of a namespace's collection as a key. `namespaces` themselves have none. */
function namespaces(...named: readonly (readonly [name: string, labels: Record<string, string>])[]): Objects {
  return { 'v1/namespaces': named.map(([name, labels]) => ({ metadata: { name, labels } })) };
}

function deployment(name: string, namespace: string, port = 'metrics', replicas = 1): Stored {
  const labels = { app: name };
  const containers = [{ name: 'main', image: 'registry.example/app:1', ports: [{ name: port, containerPort: 9464 }] }];
  return {
    metadata: { name, namespace, labels, uid: `${namespace}-${name}` },
    spec: { replicas, template: { metadata: { labels }, spec: { containers } } },
  };
}

function owned(by: string, metadata: Stored['metadata'], spec: object): Stored {
  const ownerReferences = [{ kind: 'Deployment', name: by, uid: `${metadata.namespace}-${by}`, controller: true }];
  const withOwner = { ...metadata, ownerReferences };
  return { metadata: withOwner, spec };
}

const IN = { 'autoscrape.io/inject': 'enabled' };
const RULES = (text: string) => ({
  'v1/configmaps': [
    {
      metadata: { name: 'as-rules', namespace: 'ops', labels: { 'app.kubernetes.io/name': 'autoscrape' } },
      data: { 'rules.yaml': text },
    },
  ],
});

async function explain({ kubeconfig: file }: Pick<Server, 'kubeconfig'>, ...args: readonly string[]) {
  return runAutoscrape(['explain', ...args, '--kubeconfig', file]);
}

suite('explain in a cluster', { concurrency: 1 }, () => {
  test('deploy/NAME has the labels of its namespace, and is decided by the rules in force', async (t) => {
    const mine = 'rules: [{ name: mine, when: { portName: app }, scrape: { path: /mine } }]';
    const server = await start(t, {
      ...namespaces(['web', IN]),
      ...RULES(mine),
      'apps/v1/deployments': [deployment('shop', 'web', 'app', 3)],
    });
    const { code, stdout, stderr } = await explain(server, 'deploy/shop', '-n', 'web');
    assert.deepEqual([code, stderr], [0, 'Rules: ConfigMap ops/as-rules.\n']);
    assert.match(stdout, /^Deployment web\/shop: would be annotated by rule mine\n {2}Its target: :9464\/mine/);
    assert.doesNotMatch(stdout, /kubectl label|Not read/);

    const json = await explain(server, 'deployments', 'shop', '-n', 'web', '-o', 'json');
    const [first = ''] = json.stdout.split('\n');
    const { kind, apiVersion, namespaceOptIn, file, line } = JSON.parse(first);
    assert.deepEqual([kind, apiVersion, namespaceOptIn, file, line], ['Deployment', 'apps/v1', 'yes', '', 0]);

    const elsewhere = await explain(server, 'deploy/shop', '--context', 'elsewhere');
    assert.match(elsewhere.stdout, /^Deployment web\/shop/);
  });

  test('-A counts the pods that would become targets by namespace, each pod with its owner', async (t) => {
    const replicaSet = owned(
      'shop',
      { name: 'shop-1', namespace: 'shop' },
      deployment('shop', 'shop')['spec'] as object,
    );
    const server = await start(t, {
      ...namespaces(['shop', {}], ['web', IN], ['kube-system', {}]),
      'apps/v1/deployments': [
        deployment('shop', 'shop', 'metrics', 12),
        deployment('site', 'web', 'x', 2),
        deployment('dns', 'kube-system'),
      ],
      'apps/v1/replicasets': [replicaSet],
    });
    const { code, stdout, stderr } = await explain(server, '-A');
    assert.deepEqual(
      [code, stderr],
      [0, 'Rules: those of this version, because the cluster has no ConfigMap of the chart.\n'],
    );
    const [, table] = stdout.split('NAMESPACE');
    assert.deepEqual(
      table
        ?.split('\n')
        .slice(1, 5)
        .map((line) => line.trim().split(/ {2,}/)),
      [
        ['shop', 'no', '12 pods', '0 pods'],
        ['kube-system', 'never', 'none: never here', '0 pods'],
        ['web', 'yes', '0 pods', '2 pods'],
        [''],
      ],
    );
    assert.match(stdout, /^3 workloads: 2 \(13 pods\) would be annotated, 1 \(2 pods\) skipped\.$/m);
    assert.match(stdout, /^Counted with their owners: 1 ReplicaSet\.$/m);
    assert.doesNotMatch((await explain(server, '-A', '-o', 'wide')).stdout, /FILE|:0/);
  });

  test('-l goes to the API server for each kind, and past revisions are left out', async (t) => {
    const past: Stored = {
      ...deployment('shop', 'shop'),
      metadata: { name: 'shop-1', namespace: 'shop', labels: { app: 'shop' } },
    };
    const server = await start(t, {
      ...namespaces(['shop', { ...IN, 'istio-injection': 'enabled', 'autoscrape.io/ask': 'maybe' }]),
      'apps/v1/statefulsets': [deployment('shop', 'shop'), deployment('other', 'shop')],
      'apps/v1/replicasets': [{ ...past, spec: { ...(past['spec'] as object), replicas: 0 } }],
    });
    const { code, stdout, stderr } = await explain(server, '-l', 'app=shop');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^StatefulSet shop\/shop: /);
    assert.match(stdout, /^1 workload: /m);
    assert.match(stderr, /^Namespace shop: .*autoscrape\.io\/ask/m);
    assert.equal(server.paths.filter((path) => path.endsWith('?app=shop')).length, 8);
  });

  test('what is not there, or must not be read, is a line, and the rest is explained', async (t) => {
    const forbidden = 'cronjobs.batch is forbidden: User "reader" cannot list resource "cronjobs"';
    const server = await start(
      t,
      { ...namespaces(['shop', IN]), 'apps/v1/deployments': [deployment('shop', 'shop')] },
      {
        refuses: [
          [/cronjobs$/, 403, forbidden],
          [/\/services$/, 403, 'services is forbidden'],
          [/configmaps/, 403, 'configmaps is forbidden'],
        ],
      },
    );
    const { code, stdout, stderr } = await explain(server, '-n', 'shop');
    assert.equal(code, 1);
    assert.match(stdout, /^Deployment shop\/shop: would be annotated/);
    assert.deepEqual(stderr.trimEnd().split('\n'), [
      'Rules: those of this version, because configmaps is forbidden.',
      'Services are not looked at: services is forbidden',
      `autoscrape: ${forbidden}`,
    ]);

    const absent = await explain(server, 'deploy/shop', 'pod/shop-1');
    assert.equal(absent.code, 1);
    assert.match(absent.stdout, /^Deployment shop\/shop/);
    assert.match(absent.stderr, /^autoscrape: there is no Pod shop-1 in namespace shop$/m);

    const nothing = await explain(server, 'sts', '-l', 'app=none');
    assert.deepEqual([nothing.code, nothing.stdout], [1, '']);
    assert.match(nothing.stderr, /^autoscrape: no StatefulSet with the labels app=none in namespace shop$/m);

    const misspelt = await explain(server, '-n', 'shpo');
    assert.deepEqual([misspelt.code, misspelt.stdout], [1, '']);
    assert.match(
      misspelt.stderr,
      /^autoscrape: there is no namespace shpo in the cluster http:\/\/127\.0\.0\.1:\d+\n$/,
    );
  });

  test("the selectors of the webhook's configuration decide which namespaces and pods, and are named", async (t) => {
    const teams = {
      matchLabels: { team: 'shop' },
      matchExpressions: [{ key: 'env', operator: 'NotIn', values: ['prod'] }],
    };
    const web = { matchExpressions: [{ key: 'tier', operator: 'Exists' }] } as const;
    const tiered = deployment('tiered', 'web');
    const template = (tiered['spec'] as { template: { metadata: { labels: object } } }).template;
    template.metadata.labels = { app: 'tiered', tier: 'a' };
    const words = { namespaceSelector: teams as LabelSelector, objectSelector: web, excludedNamespaces: ['old'] };
    const server = await start(t, {
      [CONFIGURATIONS]: [configuration(words)],
      ...namespaces(['web', { team: 'shop' }], ['shop', IN], ['live', { team: 'shop', env: 'prod' }], ['old', {}]),
      'apps/v1/deployments': [tiered, ...['web', 'shop', 'live', 'old'].map((name) => deployment('plain', name))],
    });
    const { code, stdout, stderr } = await explain(server, '-A', '-o', 'json');
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /^Selectors: pods with tier in namespaces with team=shop,env!=prod, by MutatingWebhookConfiguration autoscrape\.$/m,
    );
    const records = stdout.split('\n').flatMap((line) => (line.includes('"workload"') ? [JSON.parse(line)] : []));
    assert.deepEqual(
      records.map(({ namespace, name, namespaceOptIn, reason }) => [namespace, name, namespaceOptIn, reason]),
      [
        ['web', 'tiered', 'yes', null],
        ['web', 'plain', 'yes', 'not_selected'],
        ['shop', 'plain', 'no', 'not_selected'],
        ['live', 'plain', 'no', 'not_selected'],
        ['old', 'plain', 'never', 'not_selected'],
      ],
    );
  });

  test('flags take the place of what the cluster has, and decide as those of the reconciler', async (t) => {
    const server = await start(t, {
      [CONFIGURATIONS]: [configuration({ namespaceSelector: { matchLabels: { team: 'shop' } } })],
      ...namespaces(['web', { env: 'test' }]),
      'apps/v1/deployments': [deployment('shop', 'web')],
    });
    const { stdout, stderr } = await explain(
      server,
      'deploy/shop',
      '-n',
      'web',
      '--namespace-selector',
      'env in (test)',
    );
    assert.match(stdout, /To do: nothing: namespace web is opted in/);
    assert.doesNotMatch(stderr, /Selectors/);
    const wrong = await explain(server, '-A', '--object-selector', 'a b c');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /is not a label selector/);
  });

  test('with the webhook switched off the flags of the reconciler decide, which annotates alone', async (t) => {
    const server = await start(t, {
      [CONFIGURATIONS]: [],
      ...namespaces(['web', { team: 'shop' }], ['ops', { team: 'shop' }]),
      'apps/v1/deployments': [
        reconciler(['--namespace-selector=team=shop'], { namespace: 'ops' }),
        deployment('shop', 'web'),
        deployment('ours', 'ops'),
      ],
    });
    const { stdout, stderr } = await explain(server, 'deploy/shop', '-n', 'web');
    assert.match(stdout, /annotated by the reconciler once they\s+run, because the webhook is switched off/);
    assert.match(stderr, /^Selectors: namespaces with team=shop, by Deployment ops\/autoscrape-reconciler\.$/m);
    assert.match(stderr, /^The webhook is switched off: Deployment ops\/autoscrape-reconciler annotates pods once/m);
    assert.match((await explain(server, 'deploy/ours', '-n', 'ops')).stdout, /but never in this namespace/);
  });

  test('where the selectors must not be read the label decides, and it is said that others may be in force', async (t) => {
    const objects = { ...namespaces(['web', {}]), 'apps/v1/deployments': [deployment('shop', 'web')] };
    const refuses = [[/mutatingwebhookconfigurations/, 403, 'mutatingwebhookconfigurations is forbidden']] as const;
    const { code, stdout, stderr } = await explain(await start(t, objects, { refuses }), 'deploy/shop', '-n', 'web');
    assert.equal(code, 0);
    assert.match(stdout, /kubectl label namespace web autoscrape\.io\/inject=enabled/);
    assert.match(
      stderr,
      /^Not known whether other selectors are in force than the label autoscrape\.io\/inject: mutatingwebhook/m,
    );
    const none = await explain(await start(t, { ...objects, [CONFIGURATIONS]: [] }), 'deploy/shop', '-n', 'web');
    assert.match(none.stderr, /^autoscrape has neither a webhook nor a reconciler in this cluster: /m);
  });

  test('no cluster, no credentials, a wrong selector and wrong rules end it with one line', async (t) => {
    const closed = await explain({ kubeconfig: await kubeconfig(t, 1) }, '-A');
    assert.deepEqual([closed.code, closed.stdout], [1, '']);
    assert.match(closed.stderr, /^autoscrape: no answer from http:\/\/127\.0\.0\.1:1: .*\n$/);

    const expired = await start(t, {}, { refuses: [[/./, 401, 'Unauthorized']] });
    assert.match((await explain(expired, '-A')).stderr, /^autoscrape: .*401 Unauthorized.*: log in .*\n$/);

    const shop = { ...namespaces(['shop', IN]), 'apps/v1/deployments': [deployment('shop', 'shop')] };
    const strict = await start(t, shop, { refuses: [[/^\/apis/, 400, 'unable to parse requirement']] });
    assert.equal((await explain(strict, '-l', 'a b c')).stderr, 'autoscrape: unable to parse requirement\n');

    const broken = await explain(await start(t, { ...shop, ...RULES('rules: 3') }), 'deploy/shop');
    assert.deepEqual([broken.code, broken.stdout], [1, '']);
    assert.match(
      broken.stderr,
      /^autoscrape: invalid rules in the cluster; --rules FILE .*:\nConfigMap ops\/as-rules:/,
    );
  });

  test('--request-timeout bounds an API server that does not answer', async (t) => {
    const server = await start(t, {}, { hangs: true });
    const { code, stderr } = await explain(server, '-A', '--request-timeout', '50ms');
    assert.equal(code, 1);
    assert.match(stderr, /^autoscrape: no answer from http:\S+: .*\n$/);
    assert.equal(server.paths.length, 1);
    assert.match((await explain(server, '-A', '--request-timeout', 'soon')).stderr, /Give a time such as 5s/);
  });

  test('files and objects, or a name and -A, are a usage error', async (t) => {
    const file = { kubeconfig: await kubeconfig(t, 1) };
    for (const [args, message] of [
      [['deploy/shop', '-f', 'a.yaml'], /files or objects of a cluster, and not both/],
      [['a.yaml', '-A'], /files or objects of a cluster, and not both/],
      [['deploy/shop', '-A'], /a name is of one namespace/],
      [['deploy/shop', '-l', 'a=b'], /names or a selector/],
      [['-A', '-o', 'sarif'], /objects of a cluster have none/],
      [['rollout/shop'], /kubectl get rollout\/shop -o yaml/],
    ] as const) {
      const { code, stderr } = await explain(file, ...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
