// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { findProblem } from '../../../src/live/dry-run-pod.ts';
import { decide } from '../../../src/core/decide.ts';
import { isObject, own } from '../../../src/core/json.ts';
import { loadRules } from '../../../src/rules/load.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { at } from '../../harness/chart/render.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import { run, temporaryFolder } from '../../harness/autoscrape/serving.ts';
import { listenOnLoopback } from '../../harness/process/listen.ts';

// test/cluster runs verify against real API servers. Here are the answers that one can give.

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Starts a server with the given answers; undefined is none at all. Returns the path of its kubeconfig and the calls that it got. */
async function startServer(t: TestContext, answer: (pod: unknown, call: number) => Answer | undefined) {
  const authority = createAuthority();
  const { certificate: cert, key } = authority.issue({ names: ['127.0.0.1'] });
  const calls: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    calls.push(`${request.method} ${request.url}`);
    void text(request).then((body) => {
      const answered = answer(JSON.parse(body), calls.length);
      if (answered === undefined) return;
      const { status, body: object } = answered;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object));
    });
  });
  const port = await listenOnLoopback(t, server);
  const kubeconfig = join(await temporaryFolder(t), 'kubeconfig');
  const ca = Buffer.from(authority.certificate).toString('base64');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'shop' } }],
      clusters: [
        {
          name: 'test',
          cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': ca },
        },
      ],
      users: [{ name: 'test', user: { token: 'none' } }],
    }),
  );
  return { kubeconfig, calls };
}

const withAnnotations = (annotations: unknown): unknown => ({ metadata: { annotations } });

/** Returns the pod as the webhook annotates it. */
function annotated(pod: unknown): unknown {
  const decision = decide(pod, defaultRules());
  assert.ok(isObject(pod) && decision.outcome === 'annotate');
  const metadata = own(pod, 'metadata');
  return { ...pod, metadata: { ...(isObject(metadata) ? metadata : {}), annotations: decision.annotations } };
}

suite('verify', () => {
  test('succeeds when the pod is returned annotated, after retries too', async (t) => {
    const { kubeconfig, calls } = await startServer(t, (pod, call) =>
      call === 1
        ? { status: 403, body: { kind: 'Status', message: 'serviceaccount "default" not found' } }
        : { status: 201, body: annotated(pod) },
    );
    const { code, stdout, stderr } = await runAutoscrape(['verify', '--kubeconfig', kubeconfig]);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    assert.match(stdout, /namespace shop gets:\n {2}prometheus\.io\/scrape: true\n {2}prometheus\.io\/port: 9464\n/);
    assert.deepEqual(new Set(calls), new Set(['POST /api/v1/namespaces/shop/pods?dryRun=All']));
    assert.equal(calls.length, 2);
  });

  test('uses a pod that the webhook annotates itself, also where every rule only hints and pods are asked', async (t) => {
    const rules = join(await temporaryFolder(t), 'rules.yaml');
    await writeFile(rules, 'rules: [{ name: hint, when: { portName: .+ }, confirm: true }]\n');
    const loaded = await loadRules(rules);
    const { kubeconfig } = await startServer(t, (pod) => {
      const decision = decide(pod, loaded, { ask: true, namespace: 'shop' });
      return { status: 201, body: decision.outcome === 'annotate' ? withAnnotations(decision.annotations) : pod };
    });
    const { code, stderr } = await runAutoscrape(['verify', '--kubeconfig', kubeconfig, '--rules', rules]);
    assert.equal(stderr, '');
    assert.equal(code, 0);
  });

  test('sends a pod with the given labels and image, and without a user id, which OpenShift sets itself', async (t) => {
    const pods: unknown[] = [];
    const { kubeconfig } = await startServer(t, (pod) => {
      pods.push(pod);
      return { status: 201, body: annotated(pod) };
    });
    for (const flags of [[], ['--labels', 'scrape=yes,example.com/tier=,team=a', '--image', 'example.com/own:1']]) {
      const { code, stderr } = await runAutoscrape(['verify', '--kubeconfig', kubeconfig, ...flags]);
      assert.equal(code, 0, stderr);
    }
    assert.deepEqual(
      pods.map((pod) => at(pod, 'metadata', 'labels')),
      [
        { 'autoscrape.io/port': 'metrics' },
        { 'autoscrape.io/port': 'metrics', scrape: 'yes', 'example.com/tier': '', team: 'a' },
      ],
    );
    assert.equal(at(pods[1], 'spec', 'containers', 0, 'image'), 'example.com/own:1');
    for (const pod of pods) {
      assert.deepEqual(at(pod, 'spec', 'securityContext'), {
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
    }
  });

  test('refuses invalid labels, and labels with which the pod is skipped', async () => {
    for (const labels of ['team', '=a', 'a=b,,c=d', '']) {
      const { code, stderr } = await runAutoscrape(['verify', '--labels', labels]);
      assert.equal(code, 2);
      assert.match(stderr, /labels, such as/);
    }
    const { code, stderr } = await runAutoscrape(['verify', '--labels', 'autoscrape.io/inject=disabled']);
    assert.equal(code, 1);
    assert.match(stderr, /don't annotate the test pod: opted_out/);
  });

  test('says what to check when the pod is returned without annotations', async (t) => {
    const { kubeconfig } = await startServer(t, (pod) => ({ status: 201, body: pod }));
    const { code, stderr } = await runAutoscrape([
      'verify',
      '-n',
      'test',
      '--kubeconfig',
      kubeconfig,
      '--timeout-seconds',
      '1',
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /after 1 s: the pod has no annotations[^]*kubectl get pods/);
    for (const cause of [/namespaceSelector/, /objectSelector/, /matchConditions/, /test\.podLabels/]) {
      assert.match(stderr, cause);
    }
  });

  test("prints the API server's message when it rejects the pod", async (t) => {
    const { kubeconfig } = await startServer(t, () => ({
      status: 403,
      body: { kind: 'Status', message: 'pods is forbidden' },
    }));
    const { code, stderr } = await runAutoscrape(['verify', '--kubeconfig', kubeconfig, '--timeout-seconds', '1']);
    assert.equal(code, 1);
    assert.match(stderr, /the API server rejected the pod: pods is forbidden/);
  });

  test('ends in time where the API server never answers', async (t) => {
    const { kubeconfig } = await startServer(t, () => undefined);
    const startMs = performance.now();
    const { code, stderr } = await runAutoscrape(['verify', '--kubeconfig', kubeconfig, '--timeout-seconds', '1']);
    assert.equal(code, 1);
    assert.match(stderr, /^autoscrape: after 1 s: no answer from https:/);
    // A request alone may take 10 s; the rest is the start of a process on a busy machine.
    assert.ok(performance.now() - startMs < 9_000);
  });

  test('ends in time where the program that gets the credentials does not', async (t) => {
    const kubeconfig = join(await temporaryFolder(t), 'kubeconfig');
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sleep',
      // Much longer than a test: were it waited for, the file would not end.
      args: ['600'],
      interactiveMode: 'Never',
    };
    await writeFile(
      kubeconfig,
      JSON.stringify({
        'current-context': 'test',
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
        clusters: [{ name: 'test', cluster: { server: 'https://127.0.0.1:1' } }],
        users: [{ name: 'test', user: { exec } }],
      }),
    );
    const { code, stderr } = await run(['verify', '--kubeconfig', kubeconfig, '--timeout-seconds', '1']);
    assert.equal(code, 1);
    assert.match(stderr, /^autoscrape: after 1 s: no answer yet; does the program/);
  });

  test('names the annotations that differ', () => {
    const expected = { scrape: 'true', port: '9464' };
    assert.equal(findProblem(withAnnotations({ ...expected, more: 'x' }), expected), undefined);
    assert.match(
      findProblem(withAnnotations({ scrape: 'true', port: '15020' }), expected) ?? '',
      /port is "15020", not "9464"/,
    );
    assert.match(findProblem(withAnnotations({ scrape: 'true' }), expected) ?? '', /port is missing/);
    for (const odd of [null, 7, [], {}, { metadata: null }, withAnnotations(null), withAnnotations([])]) {
      assert.match(findProblem(odd, expected) ?? '', /the pod has no annotations/);
    }
  });
});
