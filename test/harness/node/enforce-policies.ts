import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandResult } from '../../../tools/command.ts';
import { list } from '../chart/render.ts';
import type { ApiRequest } from '../control-plane/api-client.ts';
import { waitFor } from '../process/wait-for.ts';
import { sandboxDirectory } from './sandbox-remains.ts';
import { POLICY_TABLE, policyRules } from './network-policies.ts';

/** A node, as far as policies are put into force there. */
export interface PolicyNode {
  readonly directory: string;
  readonly request: ApiRequest;
  /** Runs a command in the node's namespaces to its end. */
  readonly run: (command: string, args: readonly string[]) => Promise<CommandResult>;
}

/** NetworkPolicies that are in force. */
export interface Enforcement {
  /** Returns once what the API server has now is in force. */
  settled(): Promise<void>;
  /** Ends it: all traffic passes again. Throws what went wrong meanwhile, if anything did. */
  stop(): Promise<void>;
}

/** Has the cluster's NetworkPolicies hold on its node from now on, a moment after each change of policies, pods and namespaces. */
export async function enforcePolicies({ directory, request, run }: PolicyNode): Promise<Enforcement> {
  const file = join(directory, 'network-policies.nft');
  const stopping = new AbortController();
  let inForce = '';
  let rounds = 0;
  const succeed = async (program: string, ...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await run(program, args);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  };
  const items = async (path: string): Promise<readonly unknown[]> => {
    const { status, body } = await request('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: status ${status}`);
    return list(body, 'items');
  };
  const apply = async (): Promise<void> => {
    const [policies = [], namespaces = [], pods = []] = await Promise.all(
      ['/apis/networking.k8s.io/v1/networkpolicies', '/api/v1/namespaces', '/api/v1/pods'].map(items),
    );
    const rules = policyRules({ policies, namespaces, pods });
    if (rules !== inForce) {
      await writeFile(file, rules);
      await succeed('nft', '-f', file);
      inForce = rules;
    }
    rounds += 1;
  };
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await sleep(200);
      await apply();
    }
  };
  // Or the kernel would tell a pod once a second at most that it was refused.
  await succeed('sh', '-c', 'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit');
  await apply();
  let failure: unknown;
  const looping = loop().catch((error: unknown) => {
    failure = error;
  });
  return {
    // A round that had begun before may have read what was there then.
    settled: async () => {
      const next = rounds + 2;
      await waitFor('the policies to be in force', () => failure !== undefined || rounds >= next);
      if (failure !== undefined) throw failure;
    },
    stop: async () => {
      stopping.abort();
      await looping;
      await succeed('nft', 'delete', 'table', ...POLICY_TABLE.split(' '));
      if (failure !== undefined) throw failure;
    },
  };
}

/** The result of an attempt to connect. */
export type Reach = 'reached' | 'refused by a policy' | 'nothing listens';

/** An address and port. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

/**
 * Returns the results of TCP connections from a pod, by its address, or from `node` itself, in the order of their destinations. They
 * are made in the pod's own network namespace, so that the pod needs no program for it.
 */
export async function reach(
  node: Pick<PolicyNode, 'run'>,
  from: string,
  destinations: readonly Destination[],
): Promise<Reach[]> {
  const enter = from === 'node' ? [] : ['nsenter', `--net=${await namespaceOf(node, from)}`];
  const targets = destinations.map(({ address, port }) => `${address}/${port}`).join(' ');
  // In a subshell, which a connection that fails ends. It says why in its last line.
  const connect = `said=$( (exec 3<>"/dev/tcp/$to") 2>&1 ) && echo reached || echo "$said" | tail -n 1`;
  const script = `for to in ${targets}; do ${connect}; done`;
  const { stdout, stderr } = await node.run('timeout', ['60', ...enter, 'bash', '-c', script]);
  const lines = stdout.trim().split('\n');
  return destinations.map(({ address, port }, index) => {
    const line = lines[index] ?? `no answer ${stderr}`;
    if (line === 'reached') return 'reached';
    if (line.includes('No route to host')) return 'refused by a policy';
    if (line.includes('Connection refused')) return 'nothing listens';
    throw new Error(`from ${from} to ${address}:${port}: ${line}`);
  });
}

/** Returns the file of the network namespace in which an address of a pod is. */
async function namespaceOf(node: Pick<PolicyNode, 'run'>, address: string): Promise<string> {
  const files = `find ${sandboxDirectory}/containerd/state -path '*/netns/*'`;
  const hasAddress = `nsenter --net="$file" ip -4 -oneline address | grep -qF ' ${address}/'`;
  const search = `${files} | while read -r file; do if ${hasAddress}; then echo "$file"; break; fi; done`;
  return (await node.run('bash', ['-c', search])).stdout.trim();
}
