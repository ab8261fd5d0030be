import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { run } from '../harness/autoscrape/serving.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';

// What lists leave out, selectors, refusals and owners are the real API server's and its controllers' here.

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

suite('autoscrape explain on a real API server', { timeout: 300_000 }, () => {
  let cluster: ControlPlane;

  before(async () => {
    cluster = await startControlPlane({
      controllerManager: true,
      serviceAccountAdmission: false,
      users: { admin: ['system:masters'], reader: [] },
    });
    await create('/api/v1/namespaces', { metadata: { name: 'shop' } });
    await create('/api/v1/namespaces', { metadata: { name: 'autoscrape' } });
    const labels = { app: 'orders' };
    const containers = [
      { name: 'main', image: 'registry.example/app:1', ports: [{ name: 'odd', containerPort: 8080 }] },
    ];
    await create('/apis/apps/v1/namespaces/shop/deployments', {
      metadata: { name: 'orders', labels },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers } },
      },
    });
    await create('/api/v1/namespaces/autoscrape/configmaps', {
      metadata: {
        name: 'autoscrape-rules',
        labels: { 'app.kubernetes.io/name': 'autoscrape', 'app.kubernetes.io/component': 'rules' },
      },
      data: { 'rules.yaml': 'rules: [{ name: odd, when: { portName: odd } }]' },
    });
    const rules = [
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list'] },
    ];
    await create(`${RBAC}/clusterroles`, { metadata: { name: 'reader' }, rules });
    await create(`${RBAC}/clusterrolebindings`, {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
      subjects: [{ kind: 'User', name: 'reader' }],
    });
  });

  after(() => cluster.stop());

  async function create(path: string, object: object): Promise<void> {
    const { status, body } = await cluster.request('POST', path, object);
    assert.equal(status, 201, body.message);
  }

  async function explain(user: string, ...args: readonly string[]) {
    return run(['explain', ...args, '--kubeconfig', await cluster.kubeconfigOf(user)]);
  }

  test("objects are decided by the chart's rules, with what their namespace is", async () => {
    const one = await explain('admin', 'deploy/orders', '-n', 'shop');
    assert.equal(one.code, 0);
    assert.deepEqual(one.stderr.split('\n'), [
      'Rules: ConfigMap autoscrape/autoscrape-rules.',
      'autoscrape has neither a webhook nor a reconciler in this cluster: the label autoscrape.io/inject alone is looked at.',
      '',
    ]);
    assert.match(one.stdout, /^Deployment shop\/orders: would be annotated by rule odd\n/);
    assert.match(one.stdout, /To do: kubectl label namespace shop autoscrape\.io\/inject=enabled/);

    const labelled = await explain('admin', '-l', 'app=orders', '-n', 'shop', '-o', 'name');
    assert.equal(labelled.stdout, 'deployment.apps/orders\n', labelled.stderr);

    const all = await explain('admin', '-A');
    assert.equal(all.code, 0, all.stderr);
    assert.match(all.stdout, /^shop +no +3 pods +0 pods *$/m);

    const wrong = await explain('admin', '-l', 'a b c');
    assert.match(wrong.stderr, /^autoscrape: unable to parse requirement: .*\n$/);
  });

  test('what an account must not read is named, and the rest is explained', async () => {
    const { code, stdout, stderr } = await explain('reader', '-n', 'shop');
    assert.equal(code, 1);
    assert.match(stdout, /^Deployment shop\/orders +none: skipped +no_candidate$/m);
    assert.match(stderr, /^Rules: those of this version, because configmaps is forbidden: /m);
    assert.match(
      stderr,
      /^Not known whether other selectors are in force .*: mutatingwebhookconfigurations\..*forbidden: /m,
    );
    assert.match(stderr, /^Not known whether namespaces are opted in, or in a mesh: namespaces "shop" is forbidden: /m);
    assert.match(stderr, /^autoscrape: cronjobs\.batch is forbidden: User "reader" cannot list resource/m);
    const allowed = await explain('reader', 'deploy,pods', '-n', 'shop');
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.match((await explain('reader', 'po/none', '-n', 'shop')).stderr, /there is no Pod none in namespace shop$/m);
  });
});
