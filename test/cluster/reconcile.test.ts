import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from '../../src/kube/client.ts';
import type { Kube } from '../../src/kube/client.ts';
import { listWatch } from '../../src/kube/list-watch.ts';
import { readRef } from '../../src/reconcile/plan.ts';
import type { KubernetesObject } from '../harness/control-plane/api-client.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import {
  allowOnPods,
  bindClusterRole,
  grantRights,
  POD_VERBS,
  RECONCILER,
  runAsReconciler,
  startReconciler,
  unbindClusterRole,
} from '../harness/programs/reconciler-process.ts';
import type { ReconcilerProcess } from '../harness/programs/reconciler-process.ts';
import { waitFor } from '../harness/process/wait-for.ts';

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const MARKER = 'autoscrape.io/injected';
const OURS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'prometheus.io/path': '/metrics' };

suite('the reconciler on a real API server', { timeout: 600_000 }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ users: { [RECONCILER]: [] }, audit: 'Metadata' });
    await grantRights(cluster);
  });
  after(() => cluster.stop());

  test('a dry run changes nothing, and prints the plan that reconcile then applies', async () => {
    const namespace = await createNamespace('plan', true);
    for (const name of ['a', 'b']) await createPod(namespace, name);
    await createPod(namespace, 'silent', { ports: [] });
    await createPod(namespace, 'declined', { annotations: { 'prometheus.io/scrape': 'false' } });
    const before = await podsOf(namespace);

    const dry = await runAsReconciler(cluster, 'reconcile', '--once', '--dry-run', '-n', namespace, '-o', 'json');
    assert.equal(dry.code, 0, dry.stderr);
    assert.deepEqual(await podsOf(namespace), before);
    const plan: Report = JSON.parse(dry.stdout);
    assert.deepEqual(
      plan.pods.map(({ name, result, reason }) => [name, reason ?? result]),
      [
        ['a', 'would be annotated'],
        ['b', 'would be annotated'],
        ['declined', 'declined'],
        ['silent', 'no_candidate'],
      ],
    );

    const run = await runAsReconciler(cluster, 'reconcile', '--once', '-n', namespace, '-o', 'json');
    assert.equal(run.code, 0, run.stderr);
    const now = await podsOf(namespace);
    for (const [index, pod] of now.entries()) {
      const planned = plan.pods.find(({ name }) => name === pod.metadata?.name);
      const was = before[index]?.metadata?.annotations;
      assert.deepEqual(pod.metadata?.annotations, planned?.annotations ?? was);
      assert.deepEqual(
        withoutBookkeeping(pod, ['annotations']),
        withoutBookkeeping(before[index] ?? {}, ['annotations']),
      );
    }

    const again = await runAsReconciler(cluster, 'reconcile', '--once', '-n', namespace);
    assert.equal(again.code, 0);
    assert.match(again.stdout, /4 pods in 1 namespace: 4 skipped\./);
  });

  test('uninject restores pods byte for byte', async () => {
    const namespace = await createNamespace('undo', true);
    await createPod(namespace, 'bare');
    await createPod(namespace, 'annotated', { annotations: { 'example.com/note': 'keep ~ / me' } });
    await createPod(namespace, 'partly', { annotations: { 'prometheus.io/port': '9464' } });
    const before = await podsOf(namespace);
    const run = await runAsReconciler(cluster, 'reconcile', '--once', '-n', namespace);
    assert.match(run.stdout, /3 annotated/);
    assert.notDeepEqual((await podsOf(namespace)).map(annotationsOf), before.map(annotationsOf));

    await labelNamespace(namespace, undefined);
    const dry = await runAsReconciler(cluster, 'uninject', '--dry-run', '-n', namespace);
    assert.match(dry.stdout, /3 would be uninjected/);
    const done = await runAsReconciler(cluster, 'uninject', '-n', namespace);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /3 uninjected/);
    assert.equal(asText(await podsOf(namespace)), asText(before));
  });

  test('uninject keeps what somebody has changed since', async () => {
    const namespace = await createNamespace('changed', true);
    await createPod(namespace, 'app');
    await runAsReconciler(cluster, 'reconcile', '--once', '-n', namespace);
    await annotate(namespace, 'app', { 'prometheus.io/port': '9999' });
    await labelNamespace(namespace, undefined);
    await runAsReconciler(cluster, 'uninject', '-n', namespace);
    assert.deepEqual(annotationsOf(await getPod(namespace, 'app')), { 'prometheus.io/port': '9999' });
  });

  test('pods older than the label are annotated without being replaced', async (t) => {
    const namespace = await createNamespace('older', false);
    const { metadata } = await createPod(namespace, 'app');
    const reconciler = await start(t);
    await labelNamespace(namespace, 'enabled');
    const pod = await annotated(namespace, 'app');
    assert.equal(pod.metadata?.uid, metadata?.uid);
    assert.equal(await reconciler.metric('autoscrape_reconcile_missed_by_webhook_total'), 0);
  });

  test('pods created while the reconciler watches and the webhook is away are annotated and counted as missed', async (t) => {
    const namespace = await createNamespace('missed', true);
    const reconciler = await start(t);
    await waitFor(
      'the namespace to be watched',
      async () => (await reconciler.metric('autoscrape_reconcile_namespaces')) > 0,
    );
    await new Promise((resolve) => setTimeout(resolve, 10_500)); // the API server's view of the label may lag
    await createPod(namespace, 'app');
    await annotated(namespace, 'app');
    const missed = () => reconciler.metric('autoscrape_reconcile_missed_by_webhook_total');
    await waitFor('the count', async () => (await missed()) > 0); // counted once the answer to the patch is read
    assert.equal(await missed(), 1);
  });

  test('pods that must be skipped are skipped, each with its reason', async (t) => {
    const namespace = await createNamespace('never', true);
    const unlabelled = await createNamespace('unlabelled', false);
    await labelNamespace('kube-public', 'enabled');
    await labelNamespace(await createNamespace('excluded', false), 'enabled');
    const unclear = await createNamespace('unclear', false);
    await labelNamespace(unclear, 'on');
    await createPod(unclear, 'app');
    const habit = await createNamespace('habit', false);
    await labelNamespace(habit, 'true');
    await createPod(habit, 'app', { labels: { 'autoscrape.io/inject': 'true' } });
    await createPod(unlabelled, 'app');
    await createPod('kube-public', 'app');
    await createPod('excluded', 'app');
    await createPod(namespace, 'opted-out', { labels: { 'autoscrape.io/inject': 'disabled' } });
    await createPod(namespace, 'mirror', { annotations: { 'kubernetes.io/config.mirror': 'x' }, nodeName: 'node' });
    await createPod(namespace, 'user', {
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '1234' },
    });
    await createPod(namespace, 'finished');
    await setPhase(namespace, 'finished', 'Succeeded');
    await createPod(namespace, 'terminating', { finalizers: ['example.com/wait'] });
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/pods/terminating`);
    const places = [namespace, unlabelled, unclear, 'kube-public', 'excluded'];
    const before = await Promise.all(places.map(podsOf));

    const reconciler = await start(t, '--exclude-namespaces=excluded');
    await createPod(namespace, 'app');
    await annotated(namespace, 'app');
    await annotated(habit, 'app');
    const unclearLines = (await reconciler.log()).filter(({ msg }) => msg === 'namespace is not opted in');
    assert.deepEqual(
      unclearLines.map((line) => line['namespace']),
      [unclear],
    );
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/pods/app`);
    assert.deepEqual(await Promise.all(places.map(podsOf)), before);
    for (const plan of ['opted_out', 'mirror_pod', 'already_annotated', 'finished', 'terminating']) {
      assert.equal((await reconciler.metric(`autoscrape_reconcile_pods{plan="${plan}"}`)) > 0, true, plan);
    }
    await labelNamespace('kube-public', undefined);
    await annotate(namespace, 'terminating', {}, { finalizers: null });
  });

  test('concurrent writers of the same pods lose no change', async (t) => {
    const namespace = await createNamespace('contested', true);
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await createPod(namespace, name);
    const stop = new AbortController();
    let writes = 0;
    const writing = (async () => {
      while (!stop.signal.aborted) {
        writes += 1;
        for (const name of names) await annotate(namespace, name, { 'example.com/turn': String(writes) });
      }
    })();
    await start(t);
    for (const name of names) await annotated(namespace, name);
    stop.abort();
    await writing;
    for (const name of names) {
      assert.equal(annotationsOf(await getPod(namespace, name))['example.com/turn'], String(writes));
    }
  });

  test('a pod that is deleted or replaced while it is queued does not stop the others', async (t) => {
    const namespace = await createNamespace('vanishing', true);
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) await createPod(namespace, name);
    await start(t, '--patches-per-second=1', `--namespace=${namespace}`);
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/pods/d`);
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/pods/e`);
    await createPod(namespace, 'e', { ports: [{ name: 'metrics', containerPort: 7777 }] });
    await Promise.all(['a', 'b', 'c', 'e'].map((name) => annotated(namespace, name)));
    assert.equal(annotationsOf(await getPod(namespace, 'e'))['prometheus.io/port'], '7777');
  });

  test('a namespace that loses its label is untracked at once, and its pods keep their annotations', async (t) => {
    const namespace = await createNamespace('halfway', true);
    const names = Array.from({ length: 8 }, (_, index) => `app-${index}`);
    for (const name of names) await createPod(namespace, name);
    const reconciler = await start(t, '--patches-per-second=2', `--namespace=${namespace}`);
    await annotated(namespace, 'app-0');
    await labelNamespace(namespace, undefined);
    await waitFor(
      'the namespace to be untracked',
      async () => (await reconciler.metric('autoscrape_reconcile_namespaces')) === 0,
    );
    const left = await podsOf(namespace);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(await podsOf(namespace), left);
    const done = left.filter((pod) => MARKER in annotationsOf(pod)).length;
    assert.ok(done >= 1 && done < names.length, `${done} of ${names.length} were annotated`);
  });

  test('a missing right is logged once, and patches go on when it is granted again', async (t) => {
    const namespace = await createNamespace('rights', true);
    const reconciler = await start(t, `--namespace=${namespace}`);
    await createPod(namespace, 'first');
    await annotated(namespace, 'first'); // so the watch is open, and only patches are refused from now on
    t.after(() => bindClusterRole(cluster)); // so that a failure here does not fail the other tests
    await unbindClusterRole(cluster);
    for (const name of ['a', 'b', 'c']) await createPod(namespace, name);
    const forbidden = 'autoscrape_reconcile_failures_total{operation="patch pods",code="403"}';
    await waitFor('refusals', async () => (await reconciler.metric(forbidden)) >= 4);
    const failures = (await reconciler.log()).filter(({ what }) => what === 'patch pods of rights');
    assert.equal(failures.length, 1);
    assert.equal(failures[0]?.['code'], 403);
    await bindClusterRole(cluster);
    for (const name of ['a', 'b', 'c']) await annotated(namespace, name);
    assert.equal(await reconciler.isReady(), true);
    assert.equal(
      (await reconciler.log()).filter(({ what, msg }) => what === 'patch pods of rights' && msg === 'recovered').length,
      1,
    );
  });

  test('pods that it has no right to watch are listed; without the right to list it retries; each is logged once', async (t) => {
    const namespace = await createNamespace('blind', false);
    await createPod(namespace, 'first');
    const reconciler = await start(t, `--namespace=${namespace}`);
    t.after(() => allowOnPods(cluster, POD_VERBS));
    const logged = async () =>
      (await reconciler.log()).filter(({ what }) => String(what).endsWith(`pods of ${namespace}`));

    // Taken away before there is a watch of these pods: an open watch is not ended.
    await allowOnPods(cluster, ['get', 'list', 'patch']);
    await labelNamespace(namespace, 'enabled');
    await annotated(namespace, 'first');
    await createPod(namespace, 'second');
    await annotated(namespace, 'second');
    await allowOnPods(cluster, ['get', 'patch']);
    await createPod(namespace, 'third');
    const forbidden = 'autoscrape_reconcile_failures_total{operation="list pods",code="403"}';
    await waitFor('a list to be refused again', async () => (await reconciler.metric(forbidden)) >= 2, { seconds: 60 });
    assert.deepEqual(
      (await logged()).map(({ what, code }) => [what, code]),
      [
        [`watch of pods of ${namespace}`, 403],
        [`pods of ${namespace}`, 403],
      ],
    );

    await allowOnPods(cluster, POD_VERBS);
    await annotated(namespace, 'third', 60);
    const lines = await waitFor('the watch to have shown that it works', async () => {
      const found = await logged();
      return found.length >= 4 && found;
    });
    assert.deepEqual(
      lines.slice(2).map(({ what, msg }) => [what, msg]),
      [
        [`pods of ${namespace}`, 'recovered'],
        [`watch of pods of ${namespace}`, 'recovered'],
      ],
    );
    await createPod(namespace, 'fourth');
    await annotated(namespace, 'fourth', 5);
    assert.equal(await reconciler.isReady(), true);
  });

  test('a pod that admission refuses is logged once, retried when it changes, and does not stop the others', async (t) => {
    const namespace = await createNamespace('refused', true);
    await createPod(namespace, 'guarded', { labels: { guarded: 'yes' } });
    const updates = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['UPDATE'] };
    const expression = "!has(object.metadata.labels) || !('guarded' in object.metadata.labels)";
    const refuseGuarded = { matchConstraints: { resourceRules: [updates] }, validations: [{ expression }] };
    await createPod(namespace, 'app');
    await createPolicy('refuse-guarded', refuseGuarded, {
      path: `${namespace}/pods/guarded`,
      metadata: { annotations: { a: 'b' } },
    });
    const reconciler = await start(t, `--namespace=${namespace}`);
    await annotated(namespace, 'app');
    const refused = 'autoscrape_reconcile_changes_total{action="annotate",result="refused"}';
    await waitFor('the refusal', async () => (await reconciler.metric(refused)) === 1);
    await setPhase(namespace, 'guarded', 'Running'); // the policy does not ask about the status
    await waitFor('a second refusal', async () => (await reconciler.metric(refused)) === 2);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal(await reconciler.metric(refused), 2);
    assert.equal((await reconciler.log()).filter(({ msg }) => msg.startsWith('pod change refused')).length, 1);
    assert.equal(await reconciler.metric('autoscrape_reconcile_pods{plan="refused"}'), 1);
    const once = await runAsReconciler(cluster, 'reconcile', '--once', '-n', namespace);
    assert.equal(once.code, 1);
    assert.match(once.stdout, /refused\/guarded +refused +.*denied request/);

    await cluster.request('DELETE', `${ADMISSION}/validatingadmissionpolicybindings/refuse-guarded`);
    const path = `/api/v1/namespaces/${namespace}/pods/guarded`;
    const change = { metadata: { annotations: { 'example.com/changed': 'yes' } } };
    await waitFor('the policy to be gone', async () => (await cluster.request('PATCH', path, change)).status === 200);
    await annotated(namespace, 'guarded');
  });

  test("a policy that changes pods on UPDATE too, so that the chart's own refuses ours, is logged with cause and remedy", async (t) => {
    const namespace = await createNamespace('mutated', true);
    for (const name of ['early', 'late']) await createPod(namespace, name, { labels: { app: 'shop' } });
    const pods = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['UPDATE'] };
    const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
    const matchConstraints = { resourceRules: [pods], namespaceSelector };
    await createPolicy(
      'autoscrape-guard',
      {
        matchConstraints,
        validations: [
          {
            expression: 'object.metadata.labels == oldObject.metadata.labels',
            message: 'if it did not, a mutating webhook or policy changed the pod in the same update',
          },
        ],
      },
      { path: `${namespace}/pods/early`, metadata: { labels: { probe: 'x' } } },
    );
    const expression = '[JSONPatch{op: "add", path: "/metadata/labels/team", value: "shop"}]';
    const mutation = { patchType: 'JSONPatch', jsonPatch: { expression } };
    const spec = { matchConstraints, failurePolicy: 'Fail', reinvocationPolicy: 'Never', mutations: [mutation] };
    for (const [resource, body] of [
      ['mutatingadmissionpolicies', { metadata: { name: 'add-team' }, spec }],
      ['mutatingadmissionpolicybindings', { metadata: { name: 'add-team' }, spec: { policyName: 'add-team' } }],
    ] as const) {
      const { status, body: answer } = await cluster.request('POST', `${ADMISSION}/${resource}`, body);
      assert.equal(status, 201, JSON.stringify(answer));
    }
    await refusedWith422(`${namespace}/pods/early`, { annotations: { a: 'b' } });
    const reconciler = await start(t, `--namespace=${namespace}`);
    const refused = 'autoscrape_reconcile_pods{plan="refused"}';
    await waitFor('the refusals', async () => (await reconciler.metric(refused)) === 2);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal(await reconciler.metric('autoscrape_reconcile_changes_total{action="annotate",result="refused"}'), 2);
    const lines = (await reconciler.log()).filter(({ msg }) => msg.startsWith('pod change refused'));
    assert.equal(lines.length, 1);
    assert.match(String(lines[0]?.['remedy']), /service account/);
  });

  test('it waits longer each time somebody removes the annotations', async (t) => {
    const namespace = await createNamespace('fight', true);
    await createPod(namespace, 'app');
    const reconciler = await start(t, `--namespace=${namespace}`);
    const gone = Object.fromEntries([...Object.keys(OURS), MARKER].map((key) => [key, null]));
    const end = performance.now() + 6000;
    while (performance.now() < end) {
      if (MARKER in annotationsOf(await getPod(namespace, 'app'))) await annotate(namespace, 'app', gone);
    }
    const changes = await reconciler.metric('autoscrape_reconcile_changes_total{action="annotate",result="done"}');
    assert.ok(changes >= 2 && changes <= 5, `${changes} changes in 6 s`);
  });

  test('a watch from an expired version (410) is followed by a list, and nothing is logged', async (t) => {
    await cluster.restartApiServer(); // it starts without its cache of changes
    const connection = await connect({ kubeconfig: cluster.kubeconfig });
    assert.ok(connection.ok);
    const kube = connection.value;
    const namespace = await createNamespace('expired', true);
    await createPod(namespace, 'before');
    const seen: string[] = [];
    const failures: number[] = [];
    let watches = 0;
    const stale: Kube = {
      ...kube,
      watch(path, query, silenceMs, signal) {
        watches += 1;
        return kube.watch(path, watches === 1 ? { ...query, resourceVersion: '1' } : query, silenceMs, signal);
      },
    };
    const stop = new AbortController();
    t.after(() => {
      stop.abort();
      return kube.close();
    });
    const see = (object: unknown) => seen.push(readRef(object)?.name ?? '');
    let lists = 0;
    const following = listWatch(
      stale,
      { path: `/api/v1/namespaces/${namespace}/pods` },
      {
        beginList() {
          lists += 1;
          return { add: see, finish: () => undefined };
        },
        changed: see,
        deleted: () => undefined,
        failed: (_, { status }) => failures.push(status),
      },
      { signal: stop.signal, relistMs: 600_000 },
    );
    await waitFor('the second watch', () => watches === 2);
    await createPod(namespace, 'after');
    await waitFor('the new pod', () => seen.includes('after'));
    stop.abort();
    await following;
    assert.deepEqual({ lists, seen, failures }, { lists: 2, seen: ['before', 'before', 'after'], failures: [] });
  });

  test('more pods than a page holds are all annotated, with one list request a page', async () => {
    const namespace = await createNamespace('paged', true);
    const names = Array.from({ length: 501 }, (_, index) => `app-${index}`);
    while (names.length > 0) await Promise.all(names.splice(0, 16).map((name) => createPod(namespace, name)));
    const from = (await cluster.auditEvents()).length;
    const run = await runAsReconciler(cluster, 'reconcile', '--once', '-n', namespace, '--patches-per-second=1000');
    assert.match(run.stdout, /501 pods in 1 namespace: 501 annotated\./);
    // An event is written when its answer has been sent, or just after.
    const events = await waitFor('all of it in the audit log', async () => {
      const ours = (await cluster.auditEvents()).slice(from).filter(({ user }) => user.username === RECONCILER);
      return ours.filter(({ verb }) => verb === 'patch').length >= 501 && ours;
    });
    const count = (verb: string) => events.filter((event) => event.verb === verb).length;
    assert.deepEqual({ list: count('list'), patch: count('patch') }, { list: 2, patch: 501 });
  });

  test('it survives a restart of the API server, and annotates pods created after it', async (t) => {
    const namespace = await createNamespace('restart', true);
    await createPod(namespace, 'before');
    const reconciler = await start(t, `--namespace=${namespace}`);
    await annotated(namespace, 'before');
    await cluster.stopApiServer();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await cluster.startApiServer();
    await createPod(namespace, 'after');
    await annotated(namespace, 'after', 60);
    assert.equal(reconciler.daemon.ended(), undefined);
    assert.equal(await reconciler.isReady(), true);
  });

  test('one of two replicas is the leader, and the other takes over when it is killed or stopped', async (t) => {
    const namespace = await createNamespace('replicas', true);
    const first = await start(t);
    const second = await start(t);
    assert.deepEqual([await leading(first), await leading(second)], [1, 0]);
    await createPod(namespace, 'a');
    await annotated(namespace, 'a');
    assert.equal(await second.metric('autoscrape_reconcile_changes_total{action="annotate",result="done"}'), 0);

    await first.daemon.kill();
    await createPod(namespace, 'b');
    await annotated(namespace, 'b');
    assert.equal(await leading(second), 1);

    const third = await start(t);
    assert.equal(await leading(third), 0);
    await second.daemon.stop();
    // The lease was released, so nobody waits for it to expire.
    await waitFor('the third to lead', async () => (await leading(third)) === 1, { seconds: 5 });
    await createPod(namespace, 'c');
    await annotated(namespace, 'c');
  });

  test('when the rules file changes, skipped pods are planned again', async (t) => {
    const namespace = await createNamespace('rules', true);
    await createPod(namespace, 'app', { ports: [{ name: 'ours', containerPort: 9464 }] });
    const file = join(cluster.directory, 'rules.yaml');
    await writeFile(file, 'extends: none\nrules: []\n');
    const reconciler = await start(t, `--namespace=${namespace}`, `--rules=${file}`);
    const skipped = 'autoscrape_reconcile_pods{plan="no_candidate"}';
    await waitFor('the pod to be skipped', async () => (await reconciler.metric(skipped)) === 1);
    await writeFile(file, 'extends: none\nrules: [{ name: ours, when: { portName: ours } }]\n');
    const pod = await annotated(namespace, 'app');
    assert.match(annotationsOf(pod)[MARKER] ?? '', /"rule":"ours"/);
  });

  test('when idle it sends no requests but renewals of its lease', async (t) => {
    for (const name of ['idle-a', 'idle-b']) await createPod(await createNamespace(name, true), 'app');
    const reconciler = await start(t);
    await waitFor(
      'the first pass',
      async () => (await reconciler.metric('autoscrape_reconcile_last_full_pass_timestamp_seconds')) > 0,
    );
    for (const namespace of ['idle-a', 'idle-b']) await annotated(namespace, 'app');
    await new Promise((resolve) => setTimeout(resolve, 1000)); // until the audit log has the last patch
    const from = (await cluster.auditEvents()).length;
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    const events = (await cluster.auditEvents()).slice(from).filter(({ user }) => user.username === RECONCILER);
    const asked = new Set(events.map(({ verb, requestURI }) => `${verb} ${requestURI.replace(/\?.*/, '')}`));
    assert.deepEqual(
      [...asked],
      ['update /apis/coordination.k8s.io/v1/namespaces/autoscrape/leases/autoscrape-reconciler'],
    );
    assert.ok(events.length <= 4, `${events.length} renewals in 12 s`);
  });

  async function start(t: TestContext, ...args: readonly string[]): Promise<ReconcilerProcess> {
    const reconciler = await startReconciler(cluster, args);
    t.after(() => reconciler.daemon.stop());
    return reconciler;
  }

  async function createNamespace(name: string, optedIn: boolean): Promise<string> {
    const labels = optedIn ? { 'autoscrape.io/inject': 'enabled' } : {};
    const { status } = await cluster.request('POST', '/api/v1/namespaces', { metadata: { name, labels } });
    assert.equal(status, 201);
    return name;
  }

  async function labelNamespace(name: string, value: string | undefined): Promise<void> {
    const labels = { 'autoscrape.io/inject': value ?? null };
    await cluster.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { labels } });
  }

  async function createPod(namespace: string, name: string, pod: PodOptions = {}): Promise<KubernetesObject> {
    const { ports = [{ name: 'metrics', containerPort: 9464 }], nodeName, ...metadata } = pod;
    const { status, body } = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name, ...metadata },
      spec: { nodeName, containers: [{ name: 'main', image: 'example.com/app', ports }] },
    });
    assert.equal(status, 201, body.message);
    return body;
  }

  async function getPod(namespace: string, name: string): Promise<KubernetesObject> {
    return (await cluster.request('GET', `/api/v1/namespaces/${namespace}/pods/${name}`)).body;
  }

  async function podsOf(namespace: string): Promise<KubernetesObject[]> {
    const { body } = await cluster.request<{ items: KubernetesObject[] }>(
      'GET',
      `/api/v1/namespaces/${namespace}/pods`,
    );
    return body.items;
  }

  async function annotate(
    namespace: string,
    name: string,
    annotations: Readonly<Record<string, string | null>>,
    metadata: object = {},
  ): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const { status } = await cluster.request('PATCH', path, { metadata: { annotations, ...metadata } });
    assert.equal(status, 200);
  }

  /** Creates a policy, and resolves once it refuses the change that it must refuse. */
  async function createPolicy(
    name: string,
    policy: object,
    refused: { readonly path: string; readonly metadata: object },
  ): Promise<void> {
    const binding = { policyName: name, validationActions: ['Deny'] };
    const created = [
      await cluster.request('POST', `${ADMISSION}/validatingadmissionpolicies`, { metadata: { name }, spec: policy }),
      await cluster.request('POST', `${ADMISSION}/validatingadmissionpolicybindings`, {
        metadata: { name },
        spec: binding,
      }),
    ];
    assert.deepEqual(
      created.map(({ status }) => status),
      [201, 201],
    );
    await refusedWith422(refused.path, refused.metadata);
  }

  /** Resolves once the API server refuses the change: a new policy takes effect after a moment. */
  async function refusedWith422(path: string, metadata: object): Promise<void> {
    await waitFor(`${path} to be refused`, async () => {
      const { status } = await cluster.request('PATCH', `/api/v1/namespaces/${path}?dryRun=All`, { metadata });
      return status === 422;
    });
  }

  async function setPhase(namespace: string, name: string, phase: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
    assert.equal((await cluster.request('PATCH', path, { status: { phase } })).status, 200);
  }

  async function annotated(namespace: string, name: string, seconds = 30): Promise<KubernetesObject> {
    return waitFor(
      `${namespace}/${name} to be annotated`,
      async () => {
        const pod = await getPod(namespace, name);
        return MARKER in annotationsOf(pod) && pod;
      },
      { seconds },
    );
  }
});

interface PodOptions {
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly nodeName?: string;
}

interface Report {
  readonly pods: readonly {
    readonly name: string;
    readonly result: string;
    readonly reason?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

function annotationsOf(pod: KubernetesObject): Readonly<Record<string, string>> {
  return pod.metadata?.annotations ?? {};
}

/** Returns the pod without what the API server writes at every change, and without further metadata. */
function withoutBookkeeping(pod: KubernetesObject, further: readonly string[] = []): KubernetesObject {
  const left = ['resourceVersion', 'managedFields', 'generation', ...further];
  const metadata = Object.fromEntries(Object.entries(pod.metadata ?? {}).filter(([key]) => !left.includes(key)));
  return { ...pod, metadata };
}

function asText(pods: readonly KubernetesObject[]): string {
  return JSON.stringify(pods.map((pod) => withoutBookkeeping(pod)));
}

function leading(replica: ReconcilerProcess): Promise<number> {
  return replica.metric('autoscrape_reconcile_leader');
}
