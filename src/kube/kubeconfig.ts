import { KubeConfig } from '@kubernetes/client-node';
import type { RequestContext } from '@kubernetes/client-node';

/** How long one set of connections is used before the CA and the client certificate are read again. */
const REFRESH_MS = 300_000;

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

/**
 * A kubeconfig whose requests share their connections. The library builds a new TLS connection for every request
 * (`createDispatcher` in its config.js) and leaves it open: 200 lists are 200 connections, at 8 times the CPU.
 */
class ReusingKubeConfig extends KubeConfig {
  #dispatcher: Dispatcher | undefined;
  #since = 0;

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context); // reads the token file again when it is older than a minute
    const fresh = context.getDispatcher();
    if (fresh === undefined) return; // plain http: the library's global connections
    if (this.#dispatcher === undefined || Date.now() - this.#since > REFRESH_MS) {
      const old = this.#dispatcher;
      this.#dispatcher = fresh;
      this.#since = Date.now();
      void old?.close(); // waits for what is under way on it, watches included
    }
    context.setDispatcher(this.#dispatcher);
  }

  /** Nothing; ends every connection, also those that are in use. */
  async destroyConnections(): Promise<void> {
    await this.#dispatcher?.destroy();
    this.#dispatcher = undefined;
  }
}

/** Where to find the cluster; what is not given is looked for as kubectl does. */
export interface KubeconfigChoice {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/** A kubeconfig that names a cluster, or the sentence that tells the user what is missing. */
export type Kubeconfig =
  | { readonly ok: true; readonly config: ReusingKubeConfig; readonly server: string; readonly inCluster: boolean }
  | { readonly ok: false; readonly message: string };

/** The library's own fallback when it finds nothing: never what anybody meant. */
const NOTHING_FOUND = 'http://localhost:8080';

/**
 * The kubeconfig to use: the file given, else $KUBECONFIG, else ~/.kube/config, else the service account of the pod.
 * Every problem comes back as a message, none as an exception.
 */
export function loadKubeconfig(choice: KubeconfigChoice): Kubeconfig {
  const config = new ReusingKubeConfig();
  const where = choice.kubeconfig ?? 'the kubeconfig ($KUBECONFIG or ~/.kube/config)';
  try {
    if (choice.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(choice.kubeconfig);
  } catch (error) {
    return { ok: false, message: `Cannot read ${where}: ${error instanceof Error ? error.message : String(error)}` };
  }
  const names = config.getContexts().map((context) => context.name);
  if (choice.context !== undefined) {
    if (!names.includes(choice.context)) {
      return {
        ok: false,
        message: `No context "${choice.context}" in ${where}. It has: ${names.join(', ') || 'none'}.`,
      };
    }
    config.setCurrentContext(choice.context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const current = names.includes(config.getCurrentContext()) ? config.getCurrentContext() : undefined;
    if (current !== undefined) {
      const named = config.getContextObject(current)?.cluster ?? '';
      return {
        ok: false,
        message: `The context "${current}" in ${where} names the cluster "${named}", which is not there.`,
      };
    }
    const advice = names.length === 0 ? 'it has no contexts' : `choose one with --context: ${names.join(', ')}`;
    return { ok: false, message: `No current context in ${where}: ${advice}.` };
  }
  if (cluster.server === NOTHING_FOUND && choice.kubeconfig === undefined && names.length === 1) {
    return {
      ok: false,
      message: 'No cluster found: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account token.',
    };
  }
  if (!URL.canParse(cluster.server)) {
    return { ok: false, message: `The server "${cluster.server}" in ${where} is not a URL.` };
  }
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    return {
      ok: false,
      message: `The server ${cluster.server} is plain http: give an https address, or set insecure-skip-tls-verify.`,
    };
  }
  return {
    ok: true,
    config,
    server: cluster.server.replace(/\/+$/, ''),
    inCluster: config.getCurrentContext() === 'inClusterContext',
  };
}
