// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { post } from '../../harness/autoscrape/client.ts';
import { cpuSecondsOf } from '../../../tools/process-id.ts';
import { hasCode } from '../../../tools/error-code.ts';
import { HANDSHAKE_MS } from '../../../src/webhook/request-limits.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import { run, startServe, temporaryFolder, writePair } from '../../harness/autoscrape/serving.ts';
import type { Serving } from '../../harness/autoscrape/serving.ts';

const ANY_PORT = ['--host', '127.0.0.1', '--port', '0', '--health-port', '0'];

test('serve answers reviews and its health port, and stops on SIGINT at once', async (t) => {
  const serving = await startServe(t);
  const review = reviewOf(podWithMetrics());
  const { patch } = verifyAnswer(await post(serving, JSON.stringify(review)), review.request.uid);
  assert.equal(patch.length, 1);

  assert.deepEqual(await serving.health('/livez'), { status: 200, body: 'ok\n' });
  assert.deepEqual(await serving.health('/readyz?verbose'), { status: 200, body: 'ok\n' });
  assert.equal((await serving.health('/')).status, 404);
  const metrics = await serving.health('/metrics');
  assert.match(metrics.body, /^autoscrape_admission_requests_total\{outcome="annotate",code="200"\} 1$/m);
  assert.match(metrics.body, /^autoscrape_admission_decisions_total\{outcome="annotate",rule="metrics-port"\} 1$/m);
  assert.match(metrics.body, /^autoscrape_admission_decisions_total\{outcome="annotate",rule="spring-boot"\} 0$/m);
  assert.match(metrics.body, /^autoscrape_build_info\{version="[0-9.]+",node_version="v[0-9.]+"\} 1$/m);
  const cpu = /^process_cpu_seconds_total ([0-9.]+)$/m.exec(metrics.body)?.[1];
  assert.ok(Number(cpu) > 0 && Number(cpu) < 60, `${cpu} seconds`);

  serving.kill('SIGINT');
  assert.equal(await serving.exited, 0);
});

test('serve --self-signed answers over a certificate that its log has, to try it by hand', async (t) => {
  const serving = await startServe(t, { certDir: '' });
  const { caBundle } = JSON.parse(await serving.line(/self-signed certificate in use/));
  const ca = Buffer.from(caBundle, 'base64').toString();
  const review = reviewOf(podWithMetrics());
  const { patch } = verifyAnswer(await post({ ...serving, ca }, JSON.stringify(review)), review.request.uid);
  assert.equal(patch.length, 1);
  assert.deepEqual(await serving.health('/readyz'), { status: 200, body: 'ok\n' });
});

/** Returns a review of a valid pod with so many of what a decision spends the most on, each below the limits of a pod. */
function heavyReview(make: (index: number) => object, count = 4000): string {
  const items = Array.from({ length: count }, (_, index) => make(index));
  const args = items.flatMap((item) => ('arg' in item ? [item.arg] : []));
  const env = items.filter((item) => 'value' in item);
  return JSON.stringify(reviewOf({ metadata: {}, spec: { containers: [{ name: 'a', image: 'a', args, env }] } }));
}

/** Heavy reviews that are sent at the same time. */
const IN_FLIGHT = 10;

/** How long the API server waits for an answer: timeoutSeconds of the chart's webhook. */
const TIMEOUT_SECONDS = 3;

/**
 * Makes a call, and once more on another connection where the machine did other things for so long that the webhook found the connection
 * too slow. A webhook that is too slow itself has taken CPU time meanwhile, and fails the call.
 */
async function despiteBusyMachine<T>(serving: Serving, call: () => Promise<T>): Promise<T> {
  for (;;) {
    const [begun, cpu] = [performance.now(), cpuSecondsOf(serving.pid)];
    try {
      return await call();
    } catch (error) {
      const isLate = performance.now() - begun >= HANDSHAKE_MS;
      const wasIdle = cpuSecondsOf(serving.pid) - cpu < TIMEOUT_SECONDS;
      if (!hasCode(error, 'ECONNRESET') || !isLate || !wasIdle) throw error;
    }
  }
}

// Seconds on the clock say how busy the machine is. A neighbour is answered in time when it waits for no more than what was in
// flight before it, and when all of that takes much less CPU time than the API server waits.
test("a neighbour's review and /livez are answered while the most expensive pods come", async (t) => {
  const serving = await startServe(t);
  const bodies = [
    heavyReview((i) => ({ arg: `--metrics-port=${i + 1}` })),
    heavyReview((i) => ({ name: `A${i}_METRICS_PORT`, value: String(i + 1) })),
  ];
  const health = async (path: string) => {
    const page = await serving.health(path);
    if (page.status === 0) throw Object.assign(new Error(`${path} is not answered`), { code: 'ECONNRESET' });
    return page;
  };
  const cpuSeconds = async () => {
    const { body } = await despiteBusyMachine(serving, () => health('/metrics'));
    return Number(/^process_cpu_seconds_total ([0-9.]+)$/m.exec(body)?.[1]);
  };
  const over = new AbortController();
  let heavy = 0;
  async function sendHeavy(sender: number): Promise<void> {
    while (!over.signal.aborted) {
      const { status, body } = await despiteBusyMachine(serving, () =>
        post(serving, bodies[sender % bodies.length] ?? ''),
      );
      assert.equal(status, 200);
      assert.match(body, /"allowed":true/);
      heavy += 1;
    }
  }
  const before = await cpuSeconds();
  const senders = Promise.all(Array.from({ length: IN_FLIGHT }, (_, sender) => sendHeavy(sender)));
  for (let round = 0; round < 5; round++) {
    await despiteBusyMachine(serving, async () => {
      const begun = heavy;
      const review = reviewOf(podWithMetrics());
      const [answer, live] = await Promise.all([post(serving, JSON.stringify(review)), health('/livez')]);
      assert.equal(verifyAnswer(answer, review.request.uid).patch.length, 1);
      assert.equal(live.status, 200);
      assert.ok(heavy - begun <= 3 * IN_FLIGHT, `waited for ${heavy - begun} heavy pods`);
    });
  }
  over.abort();
  await senders;
  const each = ((await cpuSeconds()) - before) / heavy;
  assert.ok(each * IN_FLIGHT < TIMEOUT_SECONDS, `${heavy} heavy pods took ${each} s of CPU each`);
});

test('serve loads neither the Kubernetes client, nor an HTTP client, nor a compiler of JSON schemas', async (t) => {
  // The policy of the permission model would do too, but this says what was loaded when it fails.
  const trace = new URL('../../harness/autoscrape/loaded-modules.ts', import.meta.url).href;
  const serving = await startServe(t, { nodeFlags: ['--import', trace] });
  await post(serving, JSON.stringify(reviewOf(podWithMetrics())));
  serving.kill('SIGINT');
  const loaded = await serving.line(/^loaded: /);
  assert.match(loaded, /fastify/);
  assert.doesNotMatch(loaded, /@kubernetes|undici|unknown|ajv/);
});

test('environment variables set flags, and a flag wins', async (t) => {
  const serving = await startServe(t, {
    env: { AUTOSCRAPE_OBSERVE: 'true', AUTOSCRAPE_PORT: '1', AUTOSCRAPE_TLS_MIN_VERSION: '1.2' },
  });
  assert.match(await serving.line(/"serving"/), /"observe":true/);
  assert.notEqual(serving.port, 1);
});

test('--ask leaves a pod for which a rule only hints to the reconciler, and its counter begins at 0', async (t) => {
  const serving = await startServe(t, { args: ['--ask'] });
  assert.match(await serving.line(/"serving"/), /"ask":true/);
  const counter = 'autoscrape_admission_decisions_total{outcome="skip",reason="to_be_asked",rule="spring-boot"}';
  assert.ok((await serving.health('/metrics')).body.includes(`\n${counter} 0\n`));
  const probe = { httpGet: { path: '/actuator/health', port: 8080 } };
  const pod = { metadata: {}, spec: { containers: [{ name: 'app', livenessProbe: probe }] } };
  const { body } = await post(serving, JSON.stringify(reviewOf(pod)));
  assert.match(body, /"reason":"to_be_asked"/);
  assert.match(body, /"rule":"spring-boot"/);
});

test('serve does not start without a valid certificate pair: it names the file and the error, exit code 1', async (t) => {
  const folder = await temporaryFolder(t);
  await writePair(createAuthority(), folder);
  await writeFile(join(folder, 'tls.key'), createAuthority().issue({ names: ['x'] }).key);
  assert.deepEqual(await runAutoscrape(['serve', '--cert-dir', folder, ...ANY_PORT]), {
    code: 1,
    stdout: '',
    stderr: `autoscrape: ${folder}/tls.key is not the key of ${folder}/tls.crt: both must come from the same issuance\n`,
  });
  await rm(join(folder, 'tls.crt'));
  const missing = await runAutoscrape(['serve', '--cert-dir', folder, ...ANY_PORT]);
  assert.equal(missing.code, 1);
  assert.equal(missing.stderr, `autoscrape: ${folder}/tls.crt can't be read: no such file or directory (ENOENT)\n`);
});

test('serve does not start with invalid rules, and lists all errors with their lines', async (t) => {
  const folder = await temporaryFolder(t);
  await writePair(createAuthority(), folder);
  const rules = join(folder, 'rules.yaml');
  await writeFile(rules, 'htps: true\nrules:\n  - name: a\n    when: { portNmae: x }\n');
  const { code, stderr } = await runAutoscrape(['serve', '--cert-dir', folder, '--rules', rules, ...ANY_PORT]);
  assert.equal(code, 1);
  assert.match(stderr, /rules\.yaml:1:[0-9]+: .*https/);
  assert.match(stderr, /rules\.yaml:4:[0-9]+: .*portName/);
  assert.doesNotMatch(stderr, /^ {4}at /m);
});

test('serve starts with a rule whose name is also shipped, and logs a warning', async (t) => {
  const rules = join(await temporaryFolder(t), 'rules.yaml');
  await writeFile(rules, 'rules: [{ name: metrics-port, when: { portName: mine } }]\n');
  const serving = await startServe(t, { args: ['--rules', rules] });
  assert.match(
    await serving.line(/"level":"warn"/),
    /rules\.yaml:1:11: rules\[0\]\.name: a shipped rule has this name/,
  );
  assert.equal((await runAutoscrape(['check', rules])).code, 1);
  const explained = await runAutoscrape(['explain', '-f', 'examples', '--rules', rules]);
  assert.equal(explained.code, 0);
  assert.match(explained.stderr, /^\S+rules\.yaml:1:11: rules\[0\]\.name: a shipped rule has this name/m);
});

test('serve does not start without its port, and names the flag that sets another', async (t) => {
  const folder = await temporaryFolder(t);
  await writePair(createAuthority(), folder);
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => other.close());
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const taken = await run(['serve', '--cert-dir', folder, ...ANY_PORT, '--port', port]);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /^autoscrape: port [0-9]+ is in use by another process: choose another one with --port$/m);
  const health = await run(['serve', '--cert-dir', folder, ...ANY_PORT, '--health-port', port]);
  assert.equal(health.code, 1);
  assert.match(health.stderr, /choose another one with --health-port/);
});

test('an expired certificate does not stop serve, but it is not ready', async (t) => {
  const folder = await temporaryFolder(t);
  const authority = createAuthority();
  await writePair(authority, folder, new Date(Date.now() - 60_000));
  const serving = await startServe(t, { authority, certDir: folder });
  const readiness = await serving.health('/readyz');
  assert.equal(readiness.status, 503);
  assert.match(readiness.body, /^the certificate expired at 20/);
  assert.equal((await serving.health('/livez')).status, 200);

  await writePair(authority, folder);
  await serving.line(/"certificate reloaded"/);
  assert.equal((await serving.health('/readyz')).status, 200);
});

test('a changed rules file acts on the next review; an invalid one leaves the last valid one in use', async (t) => {
  const folder = await temporaryFolder(t);
  // As the kubelet mounts a ConfigMap: links through `..data`, which it swaps in one step.
  async function mount(version: string, rules: string): Promise<void> {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'rules.yaml'), rules);
    await symlink(version, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  }
  await mount('..1', 'extends: none\n');
  await symlink(join('..data', 'rules.yaml'), join(folder, 'rules.yaml'));
  const serving = await startServe(t, { args: ['--rules', join(folder, 'rules.yaml')] });
  async function audit() {
    const review = reviewOf(podWithMetrics());
    return verifyAnswer(await post(serving, JSON.stringify(review)), review.request.uid).audit;
  }
  assert.deepEqual(await audit(), { reason: 'no_candidate' });

  await mount('..2', 'rules: [{ name: mine, when: { portName: metrics } }]\n');
  await serving.line(/"rules reloaded"/);
  const begun = await serving.health('/metrics');
  assert.match(begun.body, /^autoscrape_admission_decisions_total\{outcome="annotate",rule="mine"\} 0$/m);
  assert.deepEqual(await audit(), { rule: 'mine' });

  await mount('..3', 'rulez: []\n');
  const fault = await serving.line(/"rules not reloaded: the last valid ones stay in use"/);
  assert.match(fault, /rules\.yaml:1:[0-9]+: .*rules/);
  assert.deepEqual(await audit(), { rule: 'mine' });
  assert.equal((await serving.health('/readyz')).status, 200);
  const metrics = await serving.health('/metrics');
  assert.match(metrics.body, /^autoscrape_config_reload_total\{result="success"\} 1$/m);
  assert.match(metrics.body, /^autoscrape_config_reload_total\{result="error"\} [1-9]/m);

  await mount('..4', 'rules: [{ name: yours, when: { portName: metrics } }]\n');
  await serving.line(/"rules reloaded".*/);
  for (let tries = 0; tries < 100 && (await audit())['rule'] !== 'yours'; tries++);
  assert.deepEqual(await audit(), { rule: 'yours' });
});

test('the log never contains content of a pod', async (t) => {
  const serving = await startServe(t, { args: ['--log-level', 'debug'] });
  const canary = 'c4n4ry';
  const pod = {
    ...podWithMetrics({ 'prometheus.io/scrape': canary, [canary]: canary, 'prometheus.io/port': canary }),
    spec: {
      nodeName: canary,
      containers: [
        {
          name: canary,
          image: canary,
          command: [canary],
          args: [`--metrics-addr=${canary}`],
          env: [{ name: canary, value: canary }],
          ports: [{ name: canary, containerPort: canary }],
        },
      ],
    },
  };
  const labelled = {
    ...podWithMetrics(),
    metadata: { labels: { 'autoscrape.io/rule': canary, 'autoscrape.io/port': canary } },
  };
  const bodies = [reviewOf(pod), reviewOf(labelled), { canary }, canary, reviewOf(pod, { uid: { canary } })].map(
    (body) => JSON.stringify(body),
  );
  for (const body of [...bodies, ...bodies.map((text) => text.slice(0, -9))]) {
    await post(serving, body);
    await post(serving, body, { headers: { 'content-type': canary } });
  }
  await post(serving, '', { path: `/${canary}` });
  serving.kill('SIGINT');
  await serving.exited;
  assert.ok(serving.lines.length > 20);
  assert.equal(serving.lines.filter((line) => line.includes(canary)).join('\n'), '');
  assert.doesNotMatch(await serving.line(/"serving"/), /c4n4ry/);
});
