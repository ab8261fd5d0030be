import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { AT_FULL_LENGTH } from '../length.ts';
import { waitFor } from '../process/wait-for.ts';
import { RELEASE } from './helm.ts';
import type { Kind } from './kind-pods.ts';
import { kinds, loadGoImage, podSpec, PORT } from './kind-pods.ts';
import { getSetup, installed } from './setup.ts';
import type { Setup } from './setup.ts';
import { apply, namespace, podsOf } from './workload.ts';

const NAMESPACE = 'asking';
const HOSTILE = 'asking-hostile';
const ROLLOUTS = 'asking-rollouts';

/** A pod, and what is to become of it. */
interface Asked {
  readonly name: string;
  readonly kind: Kind;
  /** Further arguments. */
  readonly further?: readonly string[];
  /** Paths that are asked, in order; `*` for one that nobody has made. */
  readonly paths: readonly string[];
  /** What the last answer is taken for; undefined where nothing is asked. */
  readonly verdict?: string;
  /** The path at which it becomes a target that is up; undefined where it must be none. */
  readonly up?: string;
  readonly namespace?: string;
  readonly portName?: string;
  readonly container?: object;
  readonly labels?: Readonly<Record<string, string>>;
}

const ONCE = ['/metrics'];

/** Asked once, and a target. */
const FOUND = { paths: ONCE, verdict: 'metrics', up: '/metrics' };

const probe = { httpGet: { path: '/shop/actuator/health/liveness', port: PORT }, periodSeconds: 60 };
const switchedBy = (value: string): object => ({ env: [{ name: 'METRICS', value }] });

const PODS: readonly Asked[] = [
  { name: 'node', kind: 'metrics', ...FOUND },
  { name: 'no-port-name', kind: 'metrics', portName: '', ...FOUND },
  { name: 'openmetrics', kind: 'openmetrics', ...FOUND },
  { name: 'gzip', kind: 'gzip', ...FOUND },
  { name: 'go-3-mib', kind: [4000, 760], ...FOUND },
  { name: 'fastapi', kind: 'fastapi', paths: ['/metrics', '/metrics/'], verdict: 'metrics', up: '/metrics/' },
  {
    name: 'spring',
    kind: 'spring',
    container: { livenessProbe: probe },
    paths: ['/shop/actuator/prometheus'],
    verdict: 'metrics',
    up: '/shop/actuator/prometheus',
  },
  { name: 'dotnet', kind: 'dotnet', paths: ['/metrics', '/metrics'], verdict: 'metrics', up: '/metrics' },
  { name: 'switched-on', kind: 'switched', container: switchedBy('on'), ...FOUND },
  { name: 'switched-off', kind: 'switched', container: switchedBy('off'), paths: ONCE, verdict: 'not_found' },
  { name: 'same-image', kind: 'hostile', namespace: HOSTILE, ...FOUND },
  { name: 'same-image', kind: 'hostile', paths: ONCE, verdict: 'not_found' },
  { name: 'go-30-mib', kind: [4000, 7800], paths: ONCE, verdict: 'too_large' },
  { name: 'html', kind: 'html', paths: ONCE, verdict: 'html' },
  { name: 'json', kind: 'json', paths: ONCE, verdict: 'json' },
  { name: 'echo', kind: 'echo', paths: ['/metrics', '*'], verdict: 'metrics' },
  { name: 'unauthorized', kind: 'unauthorized', paths: ONCE, verdict: 'needs_auth' },
  { name: 'django', kind: 'django', paths: ONCE, verdict: 'host_refused' },
  { name: 'wrong-type', kind: 'wrong-type', paths: ONCE, verdict: 'wrong_content_type' },
  { name: 'no-type', kind: 'no-type', paths: ONCE, verdict: 'wrong_content_type' },
  { name: 'to-another-host', kind: 'to-another-host', paths: ONCE, verdict: 'redirected_away' },
  { name: 'to-metadata', kind: 'to-metadata', paths: ONCE, verdict: 'redirected_away' },
  { name: 'slow', kind: 'slow', paths: ONCE, verdict: 'too_slow' },
  { name: 'endless', kind: 'endless', paths: ONCE, verdict: 'too_slow' },
  { name: 'gzip-bomb', kind: 'gzip-bomb', paths: ONCE, verdict: 'too_large' },
  { name: 'tls', kind: 'tls', paths: [] },
  { name: 'not-asked', kind: 'metrics', labels: { 'autoscrape.io/ask': 'disabled' }, paths: [] },
  { name: 'by-words', kind: 'metrics', portName: 'http-metrics', paths: [], up: '/metrics' },
];

/** A Deployment of five, of which one is asked, once. */
const FIVE = 'five-replicas';

/** A StatefulSet of two, of which the first takes connections, and the other none before it leads. */
const LEADER = 'leader';

/** Servers to which one connection does harm: a debugger, MySQL, Redis, mail … */
const LISTENER = {
  name: 'listener',
  ports: [
    { name: 'debug', containerPort: 8000 },
    { name: 'thrift', containerPort: 9083 },
    { name: 'smtp', containerPort: 2525 },
    { name: 'grpc', containerPort: 9000 },
    { containerPort: 3306 },
    { containerPort: 6379 },
  ],
};

/** Whether the long parts run as well: a restart of the reconciler, and rollouts. */
const IS_LONG = process.env[AT_FULL_LENGTH] === '1';

/** Asking on a real node: every kind of server, a real Prometheus, and the release as it is installed. */
export function asking(): void {
  suite('asking', () => {
    after(async () => {
      const { kubectl } = await getSetup();
      await kubectl(['delete', 'namespace', '--ignore-not-found', '--wait=false', NAMESPACE, HOSTILE, ROLLOUTS]);
    });

    test('exactly the servers with metrics become targets, and each is asked as often as it takes', async (t) => {
      const setup = await getSetup();
      await installed(setup);
      await createPods(setup);
      const wanted = await wantedPods(setup);
      let seen: readonly Seen[] = [];
      try {
        // A pod is ready for up to a minute before, and one is asked after another; the slow ones take ten seconds each.
        await waitFor(
          'every pod to be asked, and the targets to be up',
          async () => {
            seen = await observe(setup, wanted);
            return seen.every(({ want, up, paths }) => up === want.up && paths.length >= want.paths.length);
          },
          { seconds: 420, everyMs: 5000 },
        );
        // Who is asked once more, or becomes a target all the same, does so by then.
        await sleep(10_000);
        seen = await observe(setup, wanted);
      } finally {
        for (const line of table(seen)) t.diagnostic(line);
      }
      for (const { want, up, paths, verdict } of seen) {
        const about = `${want.namespace}/${want.name}`;
        assert.equal(up, want.up, `${about}: the path at which it is up`);
        if (want.app === FIVE) continue;
        const [asked, asWanted] = [paths, want.paths].map((list) => list.length);
        assert.equal(asked, asWanted, `${about}: asked at ${paths.join(' ')}`);
        assert.ok(
          want.paths.every((path, index) => path === '*' || path === paths[index]),
          `${about}: ${paths.join(' ')}`,
        );
        if (want.verdict !== undefined) assert.equal(verdict, want.verdict, about);
      }
      const ofFive = seen.filter(({ want }) => want.app === FIVE);
      assert.equal(ofFive.flatMap(({ paths }) => paths).length, 1, 'of five replicas one is asked, once');
      assert.equal(await logsOf(setup, NAMESPACE, LISTENER.name), '', 'a connection to a server that one does harm');
      // Prometheus may give up on this page, on a machine that is busy: its own errors are not ours.
      const errors = (await logsOf(setup, NAMESPACE, 'go-3-mib'))
        .split('\n')
        .filter((line) => line.startsWith('error'));
      const notOfPrometheus = errors.filter((line) => !line.startsWith('error for Prometheus/'));
      assert.deepEqual(notOfPrometheus, [], "errors in the server's log");
    });

    test('a reconciler that starts again asks nobody whose pods are annotated', { skip: !IS_LONG }, async () => {
      const setup = await getSetup();
      const wanted = (await wantedPods(setup)).filter(({ up }) => up !== undefined);
      const before = await observe(setup, wanted);
      const selector = '--selector=app.kubernetes.io/component=reconciler';
      await setup.kubectl(['delete', 'pod', `--namespace=${RELEASE}`, selector]);
      await setup.kubectl(['rollout', 'status', `--namespace=${RELEASE}`, 'deployment/autoscrape-reconciler']);
      // Leader election takes 15 s at most, and a pod that was ready long ago is asked at once.
      await sleep(60_000);
      assert.deepEqual(
        (await observe(setup, wanted)).map(({ paths }) => paths),
        before.map(({ paths }) => paths),
      );
    });

    test(
      'three rollouts of a workload that was asked leave it without a target for a moment at most',
      { skip: !IS_LONG },
      async (t) => {
        const setup = await getSetup();
        await installed(setup);
        await apply(setup, namespace(ROLLOUTS), kinds(ROLLOUTS), rolledOut(0));
        await setup.prometheus.upTarget({ namespace: ROLLOUTS });
        let longest = 0;
        for (const version of [1, 2, 3]) {
          await apply(setup, rolledOut(version));
          const rolled = setup.kubectl(['rollout', 'status', `--namespace=${ROLLOUTS}`, 'deployment/rolled']);
          longest = Math.max(longest, await longestGap(setup, rolled));
        }
        t.diagnostic(`longest time without a target that is up: ${(longest / 1000).toFixed(1)} s`);
        assert.ok(longest < MOST_WITHOUT_TARGET_MS, `${longest} ms`);
      },
    );
  });
}

/** A new target is found and scraped within seconds here; being asked would take half a minute more. */
const MOST_WITHOUT_TARGET_MS = 15_000;

/** One pod that is watched. */
interface Wanted {
  readonly namespace: string;
  readonly name: string;
  readonly app: string;
  readonly paths: readonly string[];
  readonly verdict: string | undefined;
  readonly up: string | undefined;
}

/** What was seen of it. */
interface Seen {
  readonly want: Wanted;
  /** The path at which it was up at any time. */
  readonly up: string | undefined;
  /** The paths at which it was asked. */
  readonly paths: readonly string[];
  /** What the reconciler took the last answer for. */
  readonly verdict: string | undefined;
}

async function createPods(setup: Setup): Promise<void> {
  await loadGoImage(setup);
  const { certificate, key } = createAuthority().issue({ names: ['shop.example'] });
  const files = { 'tls.crt': certificate, 'tls.key': key };
  await apply(setup, ...[NAMESPACE, HOSTILE].flatMap((name) => [namespace(name), kinds(name, files)]));
  await apply(
    setup,
    ...PODS.map(kindPod),
    kindPod({
      name: LISTENER.name,
      kind: 'listener',
      further: LISTENER.ports.map(({ containerPort }) => String(containerPort)),
      paths: [],
      container: { ports: LISTENER.ports },
    }),
    controlled('Deployment', FIVE, 'metrics', 5),
    controlled('StatefulSet', LEADER, 'leader', 2),
  );
  await setup.kubectl(['rollout', 'status', `--namespace=${NAMESPACE}`, `deployment/${FIVE}`]);
  await setup.kubectl(['rollout', 'status', `--namespace=${NAMESPACE}`, `statefulset/${LEADER}`]);
}

function kindPod(pod: Asked): unknown {
  const { name, labels } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: pod.namespace ?? NAMESPACE, labels: { app: name, ...labels } },
    spec: podSpec(pod),
  };
}

function controlled(controller: 'Deployment' | 'StatefulSet', name: string, kind: string, replicas: number): unknown {
  const labels = { app: name };
  // Without it a pod of the same kind would be the same workload.
  const container = { env: [{ name: 'NAME', value: name }] };
  return {
    apiVersion: 'apps/v1',
    kind: controller,
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec({ kind, container }) },
    },
  };
}

/** Returns what is to be seen of each pod. */
async function wantedPods({ request }: Setup): Promise<Wanted[]> {
  const five = await podsOf(request, NAMESPACE, `app=${FIVE}`);
  const replica = { namespace: NAMESPACE, verdict: undefined };
  return [
    ...PODS.map(({ name, namespace: of = NAMESPACE, paths, verdict, up }) => ({
      namespace: of,
      name,
      app: name,
      paths,
      verdict,
      up,
    })),
    ...five.map(({ name }) => ({ ...replica, name, app: FIVE, paths: [], up: '/metrics' })),
    { ...replica, name: `${LEADER}-0`, app: LEADER, paths: ONCE, up: '/metrics' },
    { ...replica, name: `${LEADER}-1`, app: LEADER, paths: [], up: undefined },
    { ...replica, name: LISTENER.name, app: LISTENER.name, paths: [], up: undefined },
  ];
}

async function observe(setup: Setup, wanted: readonly Wanted[]): Promise<Seen[]> {
  const [verdicts, targets] = await Promise.all([verdictsOf(setup), targetsOf(setup)]);
  const seen: Seen[] = [];
  for (const want of wanted) {
    const lines = (await logsOf(setup, want.namespace, want.name)).split('\n');
    const key = `${want.namespace}/${want.name}`;
    seen.push({
      want,
      up: targets.get(key),
      paths: lines.flatMap((line) => /^asked (\S+) autoscrape\//.exec(line)?.[1] ?? []),
      verdict: verdicts.get(key),
    });
  }
  return seen;
}

function logsOf({ kubectl }: Setup, of: string, pod: string): Promise<string> {
  return kubectl(['logs', `--namespace=${of}`, pod]);
}

/** Returns the last verdict on each pod, as the reconciler logs it. */
async function verdictsOf({ kubectl }: Setup): Promise<Map<string, string>> {
  const selector = '--selector=app.kubernetes.io/component=reconciler';
  const log = await kubectl(['logs', `--namespace=${RELEASE}`, selector, '--tail=-1']);
  const lines = log.split('\n').filter((line) => line.includes('"verdict"'));
  return new Map(
    lines.map((line) => {
      const { namespace: of, pod, verdict }: Record<string, string> = JSON.parse(line);
      return [`${of}/${pod}`, verdict ?? ''];
    }),
  );
}

/** Returns the path of each pod that was up as a target at any time. */
async function targetsOf({ prometheus }: Setup): Promise<Map<string, string>> {
  const up = await prometheus.query('max_over_time(up{job="kubernetes-pods",namespace=~"asking.*"}[30m]) == 1');
  const isUp = new Set(up.map(({ labels }) => `${labels['namespace']}/${labels['pod']}`));
  const targets = await prometheus.targets({ job: 'kubernetes-pods' });
  return new Map(
    targets.flatMap(({ labels, scrapeUrl }) => {
      const key = `${labels['namespace']}/${labels['pod']}`;
      return isUp.has(key) ? [[key, new URL(scrapeUrl).pathname]] : [];
    }),
  );
}

function table(seen: readonly Seen[]): string[] {
  return seen.map(({ want, up, paths, verdict }) => {
    const name = want.namespace === HOSTILE ? `${want.name} (hostile)` : want.name;
    return `${name.padEnd(30)} asked ${paths.length} ×  ${(verdict ?? '-').padEnd(20)} ${up === undefined ? 'no target' : `up at ${up}`}`;
  });
}

/** A Deployment that was asked, in one of its versions. */
function rolledOut(version: number): unknown {
  const labels = { app: 'rolled' };
  const container = { env: [{ name: 'VERSION', value: String(version) }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'rolled', namespace: ROLLOUTS },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: { metadata: { labels }, spec: podSpec({ kind: 'metrics', container }) },
    },
  };
}

/** Returns the longest time in milliseconds without a target that is up, until a while after the rollout. */
async function longestGap({ prometheus }: Setup, rolled: Promise<unknown>): Promise<number> {
  let isRolled = false;
  let until = Infinity;
  void rolled.finally(() => (isRolled = true)).catch(() => undefined);
  let [lastUp, longest] = [performance.now(), 0];
  while (performance.now() < until) {
    const targets = await prometheus.targets({ namespace: ROLLOUTS });
    const now = performance.now();
    longest = Math.max(longest, now - lastUp);
    if (targets.some(({ health }) => health === 'up')) lastUp = now;
    // Both a target of the old pod that is gone and the new pod's first scrape are seen by then.
    if (isRolled && until === Infinity) until = now + 30_000;
    await sleep(250);
  }
  await rolled;
  return longest;
}
