import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { at, CHART, HELMS, list } from '../chart/render.ts';
import type { ApiRequest } from '../control-plane/api-client.ts';
import { AT_FULL_LENGTH } from '../length.ts';
import { enforcePolicies, reach } from '../node/enforce-policies.ts';
import type { Destination, Enforcement } from '../node/enforce-policies.ts';
import { nodeAddress } from '../node/sandbox.ts';
import { waitFor } from '../process/wait-for.ts';
import { fresh } from './certificates.ts';
import { createPod } from './creations.ts';
import { helmClient, RELEASE } from './helm.ts';
import { kinds, podSpec } from './kind-pods.ts';
import { CREATIONS, waitUntilAnnotating } from './setup.ts';
import type { Setup } from './setup.ts';
import { apply, namespace, readyPod, workload } from './workload.ts';

const NAMESPACE = 'policies';
const PROMETHEUS = 'installation-prometheus';

/** Whether the tests run that wait long: for three tries of a Job, and for a pod to be asked. */
const IS_LONG = process.env[AT_FULL_LENGTH] === '1';

/** The release in a namespace that denies everything by default, on a node that holds traffic to NetworkPolicies. */
export function networkPolicies(): void {
  suite('network policies in force, in a namespace that denies everything by default', () => {
    let setup: Setup;
    let enforcement: Enforcement | undefined;
    before(async () => {
      setup = await fresh();
      const { runInNode: run } = setup;
      // What a foreign cluster enforces is its own affair.
      if (run === undefined) return;
      await apply(setup, denyAll(RELEASE), namespace(NAMESPACE), kinds(NAMESPACE));
      await apply(setup, workload(NAMESPACE, 'shop'), asked());
      await readyPod(setup.request, NAMESPACE, 'app=shop');
      enforcement = await enforcePolicies({ ...setup, run });
    });
    after(async () => {
      await enforcement?.stop();
      await setup.helm.uninstall();
      await setup.kubectl(['delete', 'networkpolicy', 'deny-all', `--namespace=${RELEASE}`, '--ignore-not-found']);
      await setup.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
    });
    const enforced = (
      title: string,
      work: (cluster: Enforced) => Promise<void>,
      skip: string | false = false,
    ): void => {
      test(title, { skip }, async (t) => {
        if (enforcement === undefined || setup.runInNode === undefined) {
          t.skip('only on a node of our own');
          return;
        }
        await work({ ...setup, run: setup.runInNode, enforcement });
      });
    };

    for (const name of HELMS) {
      enforced(
        `a Job that reaches no API server is tried three times, says why, and leaves no right (${name})`,
        async (cluster) => {
          const helm = helmClient(name, cluster.kubeconfig);
          await helm.uninstall();
          const { code, stdout, stderr } = await helm.run('install', RELEASE, CHART, ...JOBS);
          assert.equal(code, 1);
          assert.match(stderr, /failed pre-install/);
          assert.match(stdout + stderr, /Cannot read Secret.*networkPolicy\.reconcilerEgress/s, 'what Helm prints');
          const left = await cluster.kubectl(['get', RIGHTS, `--namespace=${RELEASE}`, OF_JOBS, '--output=name']);
          assert.equal(left, '');
          const pods = await cluster.kubectl(['get', 'pods', `--namespace=${RELEASE}`, '--output=name']);
          assert.equal(pods.trim().split('\n').length, 3);
        },
        !IS_LONG && 'only with --all',
      );
    }

    enforced('with the way out named, the Jobs, the webhook and `helm test` do their work', async (cluster) => {
      const values = await policyValues(cluster.request);
      await cluster.helm.succeed('upgrade', '--install', RELEASE, CHART, ...JOBS, ...values);
      await waitUntilAnnotating(cluster);
      assert.match(await cluster.helm.succeed('test', RELEASE, '--timeout=2m'), /Phase:\s+Succeeded/);
    });

    enforced('while the reconciler asks, each reaches what it has to, by number, and nothing else', async (cluster) => {
      assert.deepEqual(await reached(cluster), { ...REACHED, reconciler: ['API server', 'API server Service', 'app'] });
      if (IS_LONG) await cluster.prometheus.upTarget({ namespace: NAMESPACE, pod: 'asked' });
      await waitFor('Prometheus to scrape the release', async () => {
        const up = await cluster.prometheus.query(`up{namespace="${RELEASE}"} == 1`);
        return up.length === 3;
      });
    });

    enforced('the policy that docs/asking.md shows lets the reconciler in, and nobody else', async (cluster) => {
      const page = await readFile(join(import.meta.dirname, '../../../docs/asking.md'), 'utf8');
      const shown = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text ?? '');
      const policy = shown.find((text) => text.includes('kind: NetworkPolicy'))?.replace('shop', NAMESPACE) ?? '';
      const addressOf = await podAddresses(cluster);
      const app = [{ address: addressOf(NAMESPACE, 'shop'), port: 9464 }];
      const from = [addressOf(RELEASE, 'autoscrape-reconciler'), addressOf(PROMETHEUS, 'prometheus')];
      const results = async (): Promise<unknown> => {
        await cluster.enforcement.settled();
        return Promise.all(from.map(async (address) => (await reach(cluster, address, app))[0]));
      };
      assert.deepEqual(await results(), ['reached', 'reached']);
      await cluster.kubectl(['apply', '--filename=-'], policy);
      assert.deepEqual(await results(), ['reached', 'refused by a policy']);
      await cluster.kubectl(['delete', '--filename=-'], policy);
    });

    enforced(
      'while it does not ask it reaches the API server alone; a caller that is not named reaches no webhook',
      async (cluster) => {
        const values = await policyValues(cluster.request, '192.0.2.1/32');
        // New pods, because a connection that was let in stays.
        const changes = '--set=reconciler.ask.enabled=false,webhook.podAnnotations.new=pods';
        await cluster.helm.upgrade(...JOBS, ...values, changes);
        await rolledOut(cluster);
        assert.deepEqual(await reached(cluster), {
          ...REACHED,
          'API server': ['webhook health', 'reconciler health'],
          reconciler: ['API server', 'API server Service'],
        });
        await waitFor('no pod to be annotated at its creation', async () => {
          return !(await createPod(cluster.request, CREATIONS)).annotated;
        });
        await apply(cluster, workload(NAMESPACE, 'late'));
        await cluster.prometheus.upTarget({ namespace: NAMESPACE, app: 'late' });
      },
    );
  });
}

/** The cluster and what holds its traffic to policies. */
interface Enforced extends Setup {
  readonly run: NonNullable<Setup['runInNode']>;
  readonly enforcement: Enforcement;
}

const JOBS = ['--set=certificates.mode=job,webhook.replicas=2'];
const RIGHTS = 'serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,networkpolicies';
const OF_JOBS = '--selector=app.kubernetes.io/component=certificate';

/** Who reaches what, whether the reconciler asks or not. The kubelet has the API server's address here, and its probes pass. */
const REACHED = {
  'API server': ['webhook', 'webhook health', 'reconciler health'],
  Prometheus: ['webhook health', 'reconciler health'],
  stranger: [],
  webhook: [],
};

/** Returns the values for a namespace that denies by default: who may call, and the way to the API server as the README says to find it. */
async function policyValues(request: ApiRequest, caller = `${nodeAddress}/32`): Promise<string[]> {
  const { address, port } = await apiServer(request);
  const from = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': PROMETHEUS } } };
  const values = {
    webhookFrom: [{ ipBlock: { cidr: caller } }],
    metricsFrom: [from],
    reconcilerEgress: [{ to: [{ ipBlock: { cidr: `${address}/32` } }], ports: [{ port, protocol: 'TCP' }] }],
  };
  return [`--set-json=networkPolicy=${JSON.stringify(values)}`];
}

/** Returns an address and port of the API server's own, from the EndpointSlice of its Service. */
async function apiServer(request: ApiRequest): Promise<Destination> {
  const { body } = await request('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes');
  return {
    address: String(at(body, 'endpoints', 0, 'addresses', 0)),
    port: Number(at(body, 'ports', 0, 'port')),
  };
}

/** Returns once no pod of an earlier version is left that would still be reached. */
async function rolledOut({ kubectl, enforcement }: Enforced): Promise<void> {
  for (const name of ['webhook', 'reconciler']) {
    await kubectl(['rollout', 'status', `--namespace=${RELEASE}`, `deployment/autoscrape-${name}`, '--timeout=2m']);
  }
  await enforcement.settled();
}

/** Returns which destinations each of the pods and the API server reaches; throws where a connection fails for another reason than a policy. */
async function reached(cluster: Enforced): Promise<Record<string, string[]>> {
  await cluster.enforcement.settled();
  const addressOf = await podAddresses(cluster);
  const [webhook, reconciler] = [addressOf(RELEASE, 'autoscrape-webhook'), addressOf(RELEASE, 'autoscrape-reconciler')];
  const app = addressOf(NAMESPACE, 'shop');
  const service = await cluster.request('GET', `/api/v1/namespaces/${RELEASE}/services/autoscrape-webhook`);
  const kubernetes = await cluster.request('GET', '/api/v1/namespaces/default/services/kubernetes');
  const own = await apiServer(cluster.request);
  const inward: Record<string, Destination> = {
    webhook: { address: String(at(service.body, 'spec', 'clusterIP')), port: 443 },
    'webhook health': { address: webhook, port: 8080 },
    'another port of the webhook': { address: webhook, port: 9464 },
    'reconciler health': { address: reconciler, port: 8080 },
    'another port of the reconciler': { address: reconciler, port: 9464 },
  };
  const outward: Record<string, Destination> = {
    webhook: inward['webhook'] ?? own,
    'API server': own,
    'API server Service': { address: String(at(kubernetes.body, 'spec', 'clusterIP')), port: 443 },
    kubelet: { address: own.address, port: 10250 },
    app: { address: app, port: 9464 },
  };
  const sources: Record<string, readonly [from: string, to: Record<string, Destination>]> = {
    'API server': ['node', inward],
    Prometheus: [addressOf(PROMETHEUS, 'prometheus'), inward],
    stranger: [app, inward],
    webhook: [webhook, outward],
    reconciler: [reconciler, outward],
  };
  const found = await Promise.all(
    Object.entries(sources).map(async ([source, [from, destinations]]) => {
      const names = Object.keys(destinations);
      const results = await reach(cluster, from, Object.values(destinations));
      const others = names.filter((_, index) => results[index] === 'nothing listens');
      assert.deepEqual(others, [], `from ${source}: no policy refuses it`);
      return [source, names.filter((_, index) => results[index] === 'reached')] as const;
    }),
  );
  return Object.fromEntries(found);
}

/** Returns a function that gives the address of the newest pod of a namespace whose name begins so. */
async function podAddresses({ request }: Enforced): Promise<(of: string, name: string) => string> {
  const { body } = await request('GET', '/api/v1/pods');
  return (of, name) => {
    const pods = list(body, 'items').filter(
      (pod) => at(pod, 'metadata', 'namespace') === of && String(at(pod, 'metadata', 'name')).startsWith(name),
    );
    // One that is about to go may be gone before it is tried.
    const newest = pods.toSorted((one, other) => createdAt(other).localeCompare(createdAt(one)))[0];
    return String(at(newest, 'status', 'podIP'));
  };
}

function createdAt(object: unknown): string {
  return String(at(object, 'metadata', 'creationTimestamp'));
}

/** A policy that lets no pod of a namespace be reached, and none reach anything. */
function denyAll(of: string): unknown {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'deny-all', namespace: of },
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  };
}

/** A pod whose endpoint is found by asking alone. */
function asked(): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'asked', namespace: NAMESPACE, labels: { app: 'asked' } },
    spec: podSpec({ kind: 'metrics' }),
  };
}
