import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apiClient } from './api-client.ts';
import type { ApiClient, ApiRequest } from './api-client.ts';
import { apiServerFlags, etcdFlags } from './control-plane-flags.ts';
import { auditFlags, readAuditEvents } from './audit.ts';
import type { AuditEvent, AuditLevel } from './audit.ts';
import { command } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import type { ComponentName } from '../build/components.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import type { Daemon, Place } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';
import { temporaryFolder } from '../process/temporary-folder.ts';
import { writeAuthority, writeServiceAccountKeys, writeTokens } from './identities.ts';
import type { Users } from './identities.ts';
import { kubebuilderAssets } from '../build/kubebuilder-assets.ts';
import { writeKubeconfig } from './kubeconfig.ts';

/** The versions of Kubernetes that the tests have: the newest, the oldest that its project supports, and the oldest that the chart does. */
export type KubernetesVersion = '1.37' | '1.35' | '1.31';

/** What a control plane is started with; nothing is needed. */
export interface ControlPlaneOptions {
  readonly version?: KubernetesVersion;
  /** Runs kube-controller-manager too, which turns Deployments into pods and gives namespaces a service account. */
  readonly controllerManager?: boolean;
  /** Whether pods need a service account. The controller manager makes them, so without it they don't unless told. */
  readonly serviceAccountAdmission?: boolean;
  /** Writes an audit log, for `auditEvents`. */
  readonly audit?: AuditLevel;
  /** Further flags of kube-apiserver; they come last. */
  readonly apiServerFlags?: readonly string[];
  /** Further users, for `kubeconfigOf` and `tokenOf`. */
  readonly users?: Users;
  /** Where it runs, when not in a folder of its own on the loopback address. */
  readonly place?: ClusterPlace;
}

/** A network and a folder, made and removed by someone else, for a control plane to run in. */
export interface ClusterPlace extends Place {
  readonly address: string;
  readonly serviceNetwork: string;
}

/** A running control plane. */
export interface ControlPlane {
  readonly url: string;
  /** Path of a kubeconfig with all rights. */
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly adminToken: string;
  /** Holds logs (`kube-apiserver.log` …), keys and data; gone after `stop`. */
  readonly directory: string;
  readonly request: ApiRequest;
  /** Runs kubectl with all rights and returns what it printed; throws with its complaint when it fails. */
  kubectl(args: readonly string[], stdin?: string): Promise<string>;
  tokenOf(user: string): string;
  /** Path of a kubeconfig for one of `users`. */
  kubeconfigOf(user: string): Promise<string>;
  /** The audit events so far, oldest first. */
  auditEvents(): Promise<AuditEvent[]>;
  stopApiServer(): Promise<void>;
  startApiServer(): Promise<void>;
  restartApiServer(): Promise<void>;
  /** Ends every process and removes the folder. */
  stop(): Promise<void>;
}

const admin = 'admin';
const manager = 'system:kube-controller-manager';

/** Starts etcd and kube-apiserver, and kube-controller-manager if asked for, and returns once they answer. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { version = '1.37', controllerManager = false, place } = options;
  // Executables first: building them may take minutes, and when that fails nothing is to be cleaned up.
  // A node's are always built: its kubelet must not be newer than its API server.
  const assets = version === '1.37' && place === undefined ? await kubebuilderAssets() : undefined;
  if (assets !== undefined) process.stderr.write(`from KUBEBUILDER_ASSETS: ${assets.versions}\n`);
  const pathOf = async (name: ComponentName): Promise<string> => assets?.paths.get(name) ?? component(name);
  const etcdPath = await pathOf('etcd');
  const apiServerPath = await pathOf(version === '1.37' ? 'kube-apiserver' : `kube-apiserver-${version}`);
  const kubectlPath = await pathOf('kubectl');
  const managerPath = controllerManager ? await pathOf('kube-controller-manager') : undefined;

  // Who names a place removes it.
  const { directory, remove } =
    place === undefined
      ? await temporaryFolder('control-plane')
      : { directory: place.directory, remove: () => undefined };
  const started: Daemon[] = [];
  let client: ApiClient | undefined;

  const start = async (name: string, path: string, args: readonly string[]): Promise<Daemon> => {
    const daemon = await startDaemon({ directory, ...place, name, command: path, args });
    started.push(daemon);
    return daemon;
  };
  const stop = async (): Promise<void> => {
    client?.disconnect();
    // Their data isn't needed any more, so they have nothing to bring to an end.
    for (const daemon of started.toReversed()) await daemon.kill();
    remove();
  };

  try {
    const address = place?.address ?? '127.0.0.1';
    const port = async (usual: number): Promise<number> => (place === undefined ? freePort() : usual);
    const url = `https://${address}:${await port(6443)}`;
    const etcdUrl = `http://127.0.0.1:${await port(2379)}`;
    const peerUrl = `http://127.0.0.1:${await port(2380)}`;

    const { file: tokenFile, tokens } = await writeTokens(directory, {
      [admin]: ['system:masters'],
      [manager]: [],
      ...options.users,
    });
    const keys = await writeServiceAccountKeys(directory);
    const caFile = join(directory, 'ca.crt');
    // The API server makes its own certificate here on its first start, and the authority that vouches for it.
    const certificates = join(directory, 'certificates');
    const flags = [
      ...apiServerFlags({ url, etcdUrl, certificates, tokenFile, keys, serviceNetwork: place?.serviceNetwork }),
      ...((options.serviceAccountAdmission ?? controllerManager) ? [] : ['--disable-admission-plugins=ServiceAccount']),
      ...(options.audit === undefined ? [] : await auditFlags(directory, options.audit)),
      ...(options.apiServerFlags ?? []),
    ];

    const etcd = await start('etcd', etcdPath, etcdFlags(join(directory, 'etcd'), etcdUrl, peerUrl));
    await ready(etcd, async () => (await readFile(etcd.logFile, 'utf8')).includes('ready to serve client requests'));

    const tokenOf = (user: string): string => {
      const token = tokens.get(user);
      if (token === undefined) throw new Error(`there is no user ${user}; name it in the option "users"`);
      return token;
    };
    let apiServer: Daemon | undefined;
    const startApiServer = async (): Promise<void> => {
      const daemon = await start('kube-apiserver', apiServerPath, flags);
      apiServer = daemon;
      await ready(daemon, async () => {
        client ??= apiClient(url, await writeAuthority(certificates, caFile), tokenOf(admin));
        if ((await client.request('GET', '/readyz')).status !== 200) return false;
        return (await client.request('GET', '/api/v1/namespaces/default')).status === 200;
      });
    };
    const stopApiServer = async (): Promise<void> => {
      // Its data is etcd's, so it has nothing to bring to an end, and a graceful one waits for every watch.
      await apiServer?.kill();
      client?.disconnect();
    };
    await startApiServer();

    const request: ApiRequest = async (method, path, body, headers) => {
      if (client === undefined) throw new Error('the API server has never been ready');
      return client.request(method, path, body, headers);
    };
    const kubeconfigOf = (user: string): Promise<string> =>
      writeKubeconfig(join(directory, `${user.replaceAll(':', '-')}.kubeconfig`), url, caFile, tokenOf(user));
    const kubeconfig = await kubeconfigOf(admin);

    if (managerPath !== undefined) {
      const daemon = await start('kube-controller-manager', managerPath, [
        `--kubeconfig=${await kubeconfigOf(manager)}`,
        `--service-account-private-key-file=${keys.privateKey}`,
        `--root-ca-file=${caFile}`,
        '--use-service-account-credentials',
        '--leader-elect=false',
        '--secure-port=0',
      ]);
      await ready(daemon, async () => {
        const account = await request('GET', '/api/v1/namespaces/default/serviceaccounts/default');
        return account.status === 200;
      });
    }

    const asAdmin = ['--kubeconfig', kubeconfig, '--cache-dir', join(directory, 'kubectl')];
    return {
      url,
      kubeconfig,
      caFile,
      adminToken: tokenOf(admin),
      directory,
      request,
      kubectl: (args, stdin) => command(kubectlPath, [...asAdmin, ...args], { ...(stdin !== undefined && { stdin }) }),
      tokenOf,
      kubeconfigOf,
      auditEvents: () => readAuditEvents(directory),
      stopApiServer,
      startApiServer,
      restartApiServer: async () => {
        await stopApiServer();
        await startApiServer();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
