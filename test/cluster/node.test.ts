import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { command } from '../../tools/command.ts';
import { component } from '../harness/build/components.ts';
import { staticPods } from '../harness/node/kubelet.ts';
import { startNode } from '../harness/node/node.ts';
import type { Node } from '../harness/node/node.ts';
import { enforcePolicies, reach } from '../harness/node/enforce-policies.ts';
import type { Reach } from '../harness/node/enforce-policies.ts';
import { isRunning } from '../../tools/process-id.ts';
import { startPrometheus } from '../harness/programs/prometheus.ts';
import { hostAddress, nodeAddress, podNetwork } from '../harness/node/sandbox.ts';
import { cgroupDirectories, hostLink, removeSandbox, sandboxDirectory } from '../harness/node/sandbox-remains.ts';
import { scratchImage } from '../harness/build/scratch-image.ts';
import { waitFor } from '../harness/process/wait-for.ts';

const image = 'localhost/probe:test';
const pods = '/api/v1/namespaces/default/pods';
const services = '/api/v1/namespaces/default/services';

const pod = (name: string, args: readonly string[]): unknown => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { restartPolicy: 'Never', containers: [{ name: 'main', image, imagePullPolicy: 'Never', args }] },
});

const selecting = (app: string) => ({ podSelector: { matchLabels: { app } } });

interface PodStatus {
  readonly status: { readonly phase: string; readonly podIP?: string };
}

suite('a node', () => {
  let node: Node;
  before(async () => {
    const executable = await component('probe');
    node = await startNode();
    await node.importImage(await scratchImage(join(node.directory, 'probe.tar'), { name: image, executable }));
  });
  after(() => node.stop());

  const podAtPhase = (name: string, phase: string): Promise<PodStatus['status']> =>
    waitFor(`pod ${name} to be ${phase}`, async () => {
      const { body } = await node.request<PodStatus>('GET', `${pods}/${name}`);
      return body.status.phase === phase && body.status;
    });
  const serve = async (name: string): Promise<string> => {
    assert.equal((await node.request('POST', pods, pod(name, ['serve', ':8080']))).status, 201);
    return (await podAtPhase(name, 'Running')).podIP ?? '';
  };
  /** Returns what a pod gets that asks `url`. */
  const askedFromPod = async (name: string, url: string): Promise<string> => {
    assert.equal((await node.request('POST', pods, pod(name, ['get', url]))).status, 201);
    await podAtPhase(name, 'Succeeded');
    return node.kubectl(['logs', name]);
  };

  test('runs a pod from a local image, which answers this process', async () => {
    const address = await serve('web');
    assert.equal(
      await waitFor('the pod to listen', async () => (await fetch(`http://${address}:8080/`)).text()),
      'web\n',
    );
  });

  test('lets one pod ask another', async () => {
    const address = await serve('asked');
    assert.equal(await askedFromPod('asking', `http://${address}:8080/`), 'asked\n');
  });

  test('lets pods, the node and this process reach a Service through kube-proxy', async () => {
    await serve('backend');
    const spec = { selector: { app: 'backend' }, ports: [{ port: 80, targetPort: 8080 }] };
    const { body } = await node.request<{ spec: { clusterIP: string } }>('POST', services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'backend' },
      spec,
    });
    const url = `http://${body.spec.clusterIP}/`;
    const answer = await waitFor('the Service', async () => (await fetch(url)).text());
    assert.equal(answer, 'backend\n');
    assert.equal(await askedFromPod('asking-service', url), 'backend\n');
    const fromNode = await node.run(await component('probe'), ['get', url]);
    assert.equal(fromNode.stdout, 'backend\n', fromNode.stderr);
  });

  test('reaches a pod through the API server', async () => {
    await serve('proxied');
    const answer = await waitFor('the pod to listen', async () => {
      const { status, body } = await node.request<string>('GET', `${pods}/proxied:8080/proxy/`);
      return status === 200 && body;
    });
    assert.equal(answer, 'proxied\n');
  });

  test('lets a pod reach a server of this process, and nothing beyond this machine', async () => {
    const server = createServer((_, response) => response.end('from the test\n'));
    server.listen(0, hostAddress);
    await once(server, 'listening');
    const { port } = addressOf(server.address());
    try {
      assert.equal(await askedFromPod('asking-test', `http://${hostAddress}:${port}/`), 'from the test\n');
    } finally {
      server.close();
    }
    const beyond = await node.run(await component('probe'), ['get', 'http://192.0.2.200/']);
    assert.match(beyond.stderr, /network is unreachable/);
  });

  test('has room for a Prometheus, which finds a pod through the API server', async () => {
    await serve('found');
    const prometheus = await startPrometheus(
      {
        scrape_configs: [
          { job_name: 'pods', kubernetes_sd_configs: [{ role: 'pod', kubeconfig_file: node.kubeconfig }] },
        ],
      },
      { enter: node.enter, address: nodeAddress },
    );
    try {
      await waitFor('the pod to be a target', async () => {
        const { activeTargets } = await prometheus.targets();
        return activeTargets.some(({ discoveredLabels }) => discoveredLabels['__meta_kubernetes_pod_name'] === 'found');
      });
    } finally {
      await prometheus.stop();
    }
  });

  test('holds traffic to NetworkPolicies while they are enforced', async () => {
    for (const [name, labels] of [
      ['guarded', {}],
      ['team', { team: 'a' }],
    ] as const) {
      await node.request('POST', '/api/v1/namespaces', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      });
    }
    const serveIn = async (namespace: string, name: string): Promise<string> => {
      const path = `/api/v1/namespaces/${namespace}/pods`;
      await node.request('POST', path, pod(name, ['serve', ':8080']));
      return waitFor(`pod ${name} to run`, async () => {
        const { body } = await node.request<PodStatus>('GET', `${path}/${name}`);
        return body.status.phase === 'Running' && body.status.podIP;
      });
    };
    const addresses = {
      server: await serveIn('guarded', 'server'),
      friend: await serveIn('guarded', 'friend'),
      team: await serveIn('team', 'member'),
      stranger: await serveIn('default', 'stranger'),
    };
    const policy = (name: string, spec: unknown): Promise<unknown> =>
      node.request('POST', '/apis/networking.k8s.io/v1/namespaces/guarded/networkpolicies', {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name },
        spec,
      });
    /** Who reaches a port of the server, and whom the server reaches at 8080. */
    const traffic = async (): Promise<Readonly<Record<string, readonly Reach[]>>> => {
      const { server, ...others } = addresses;
      const found: Record<string, readonly Reach[]> = {};
      for (const [name, address] of Object.entries(others)) {
        const inward = [8080, 8081].map((port) => ({ address: server, port }));
        found[name] = [
          ...(await reach(node, address, inward)),
          ...(await reach(node, server, [{ address, port: 8080 }])),
        ];
      }
      return found;
    };
    const open = ['reached', 'nothing listens', 'reached'];
    const refused = 'refused by a policy';
    assert.deepEqual(await traffic(), { friend: open, team: open, stranger: open });

    const enforcement = await enforcePolicies(node);
    try {
      await enforcement.settled();
      assert.deepEqual(await traffic(), { friend: open, team: open, stranger: open }, 'without a policy');

      await policy('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
      await policy('server', {
        ...selecting('server'),
        ingress: [
          { from: [selecting('friend')], ports: [{ port: 8080 }] },
          { from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }], ports: [{ port: 8081, endPort: 8090 }] },
        ],
        egress: [
          { to: [{ ipBlock: { cidr: podNetwork, except: [`${addresses.team}/32`] } }], ports: [{ protocol: 'TCP' }] },
        ],
        policyTypes: ['Ingress', 'Egress'],
      });
      await enforcement.settled();
      assert.deepEqual(await traffic(), {
        // The policy that denies selects it too, so that it neither calls nor is called.
        friend: [refused, refused, refused],
        team: [refused, 'nothing listens', refused],
        stranger: [refused, refused, 'reached'],
      });

      await policy('friend', { ...selecting('friend'), egress: [{}], policyTypes: ['Egress'] });
      await enforcement.settled();
      assert.deepEqual((await traffic())['friend'], ['reached', refused, refused]);

      const late = await serveIn('guarded', 'late');
      const fromLate = await reach(node, late, [{ address: addresses.stranger, port: 8080 }]);
      assert.deepEqual(fromLate, [refused], 'of a pod that came later');

      await policy('named', { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] });
      await assert.rejects(enforcement.settled(), /named port: "http"/);
    } finally {
      await enforcement.stop().catch(() => undefined);
    }
    assert.deepEqual(await traffic(), { friend: open, team: open, stranger: open }, 'in the end');
  });

  test('runs kubectl exec, restricted pods and static pods', async () => {
    const restricted = {
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const container = { name: 'main', image, imagePullPolicy: 'Never', args: ['serve', ':8080'] };
    await node.request('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    await node.kubectl(
      ['apply', '--filename=-'],
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'strict', namespace: 'strict' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: 'strict' } },
          template: {
            metadata: { labels: { app: 'strict' } },
            spec: { containers: [{ ...container, securityContext: restricted }] },
          },
        },
      }),
    );
    await node.kubectl(['rollout', 'status', '--namespace=strict', 'deployment/strict', '--timeout=60s']);
    const inPod = ['exec', '--namespace=strict', 'deployment/strict', '--', '/main'];
    const said = await node.kubectl([...inPod, 'get', 'http://127.0.0.1:8080/']);
    assert.match(said, /^strict-/);

    writeFileSync(join(node.directory, staticPods, 'static.json'), JSON.stringify(pod('static', ['serve', ':8080'])));
    await podAtPhase(`static-${node.name}`, 'Running');
  });
});

test('a node stopped leaves no process, mount, network or control group', async () => {
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  const node = await startNode();
  const pids = readdirSync(node.directory)
    .filter((file) => file.endsWith('.pid'))
    .map((file) => Number(readFileSync(join(node.directory, file), 'utf8')));
  assert.equal(pids.length, 8);
  await node.stop();
  assert.deepEqual(pids.filter(isRunning), []);
  assert.equal(readFileSync('/proc/self/mounts', 'utf8'), mounts);
  assertNothingLeft();
});

test('a node that is kept outlives the process that started it, and stands until it is stopped', async () => {
  const kubeconfig = (await byHand('start')).trim().replace('export KUBECONFIG=', '');
  try {
    const asked = ['--kubeconfig', kubeconfig, '--cache-dir', join(dirname(kubeconfig), 'kubectl'), 'get', 'nodes'];
    assert.match(await command(await component('kubectl'), asked), /Ready/);
    await assert.rejects(startNode(), /a node is kept on this machine/);
  } finally {
    await byHand('stop');
  }
  assertNothingLeft();
});

test('a test process killed leaves no process, and its other remains are removed', async () => {
  const script = `
    import { startNode } from ${JSON.stringify(new URL('../harness/node/node.ts', import.meta.url).href)};
    process.stdout.write((await startNode()).directory);
    setInterval(() => undefined, 1000);
  `;
  const args = ['--input-type=module', '--eval', script];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await waitFor('its network to be gone', () => !existsSync(`/sys/class/net/${hostLink}`), { seconds: 10 });
  removeSandbox();
  assertNothingLeft();
});

/** What the command prints that starts or stops a node to be looked at. */
function byHand(verb: 'start' | 'stop'): Promise<string> {
  return command(process.execPath, [join(import.meta.dirname, '../harness/node/node.ts'), verb]);
}

function assertNothingLeft(): void {
  const left = [sandboxDirectory, `/sys/class/net/${hostLink}`, ...cgroupDirectories()].filter((path) =>
    existsSync(path),
  );
  assert.deepEqual(left, []);
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  assert.ok(address !== null && typeof address === 'object');
  return address;
}
