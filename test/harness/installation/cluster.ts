import { existsSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentType } from '../control-plane/api-client.ts';
import type { ApiRequest } from '../control-plane/api-client.ts';
import { command } from '../../../tools/command.ts';
import type { CommandResult } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import { onInterruption } from '../process/interruption.ts';
import { startNode } from '../node/node.ts';
import { nodeAddress, runInKeptSandbox } from '../node/sandbox.ts';
import { keptFile, sandboxDirectory } from '../node/sandbox-remains.ts';

/** A whole cluster, with a kubelet, for an installation to be tried on. */
export interface Cluster {
  readonly kubeconfig: string;
  /** A folder for what processes beside the cluster write. */
  readonly directory: string;
  readonly request: ApiRequest;
  /** Runs kubectl with all rights and returns what it printed; throws with its complaint when it fails. */
  readonly kubectl: (args: readonly string[], stdin?: string) => Promise<string>;
  /** Puts the images of a Docker archive where pods find them. */
  readonly loadImage: (archive: string) => Promise<void>;
  /** Runs a command in the namespaces of its node; undefined for a cluster that is not ours. */
  readonly runInNode: ((command: string, args: readonly string[]) => Promise<CommandResult>) | undefined;
  /** Whether nothing of it outlives `close`. */
  readonly isDisposed: boolean;
  /** Stops the node, where this started it, unless it is to be kept. */
  readonly close: () => Promise<void>;
}

/**
 * The cluster of KUBECONFIG, or else a node that is started for it and, with `keep`, outlives it: the next to ask with
 * `keep` gets the same one. Only a cluster on this machine is taken, unless
 * AUTOSCRAPE_DISPOSABLE_CLUSTER is `yes`: things are installed and removed all over it. A foreign one is given
 * images by the command in AUTOSCRAPE_LOAD_IMAGE, such as `kind load image-archive`.
 */
export async function openCluster({ keep }: { keep: boolean }): Promise<Cluster> {
  const named = process.env['KUBECONFIG'] ?? '';
  if (named !== '') return joinCluster(named);
  if (keep && existsSync(keptFile)) return joinCluster(join(sandboxDirectory, 'admin.kubeconfig'));
  const node = await startNode({ keep });
  return {
    ...node,
    runInNode: (program, args) => node.run(program, args),
    isDisposed: !keep,
    loadImage: (archive) => node.importImage(archive),
    close: async () => {
      if (!keep) await node.stop();
    },
  };
}

async function joinCluster(kubeconfig: string): Promise<Cluster> {
  const path = await component('kubectl');
  const kubectl = (args: readonly string[], stdin?: string): Promise<string> =>
    command(path, ['--kubeconfig', kubeconfig, ...args], { ...(stdin !== undefined && { stdin }) });
  const server = await kubectl(['config', 'view', '--minify', '--output=jsonpath={.clusters[0].cluster.server}']);
  requireDisposable(server);

  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-installation-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const callOff = onInterruption(remove);
  const proxy = await startDaemon({
    name: 'kubectl-proxy',
    directory,
    command: path,
    args: ['--kubeconfig', kubeconfig, 'proxy', '--port=0'],
  });
  let base = '';
  await ready(proxy, async () => {
    const address = /127\.0\.0\.1:\d+/.exec(await readFile(proxy.logFile, 'utf8'))?.[0];
    base = `http://${address}`;
    return address !== undefined;
  });
  const request: ApiRequest = async (method, path, body, headers) => {
    const answer = await fetch(new URL(path, base), {
      method,
      headers: { 'content-type': contentType(method, body), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const said = await answer.text();
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false;
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: isJson ? JSON.parse(said) : said,
    };
  };
  return {
    kubeconfig,
    directory,
    runInNode: kubeconfig.startsWith(`${sandboxDirectory}/`) ? runInKeptSandbox : undefined,
    isDisposed: false,
    request,
    kubectl,
    loadImage: (archive) => loadInto(kubeconfig, archive),
    close: async () => {
      await proxy.stop();
      callOff();
      remove();
    },
  };
}

async function loadInto(kubeconfig: string, archive: string): Promise<void> {
  const how = process.env['AUTOSCRAPE_LOAD_IMAGE'];
  if (how !== undefined) {
    await command('sh', ['-c', `${how} "$1"`, 'sh', archive]);
  } else if (kubeconfig.startsWith(`${sandboxDirectory}/`)) {
    const socket = join(sandboxDirectory, 'containerd', 'containerd.sock');
    await command(await component('ctr'), ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive]);
  }
}

/** Throws where a test would work on a cluster that somebody may need. */
function requireDisposable(server: string): void {
  const { hostname } = new URL(server);
  const address = hostname.replace(/^\[|\]$/g, '');
  const isHere =
    hostname === 'localhost' || address === nodeAddress || (isIP(address) > 0 && /^(127\.|::1$)/.test(address));
  if (isHere || process.env['AUTOSCRAPE_DISPOSABLE_CLUSTER'] === 'yes') return;
  throw new Error(
    `KUBECONFIG names the cluster at ${server}, and this installs and removes things all over it.\n` +
      'Unset KUBECONFIG to have a node started instead, or set AUTOSCRAPE_DISPOSABLE_CLUSTER=yes if it is there for that.',
  );
}
