import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { RequestContext } from '@kubernetes/client-node';
import type { Result } from '../core/result.ts';

/**
 * How long one set of connections is used before the CA and the client certificate are read again.
 */
const REFRESH_MS = 300_000;

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

/**
 * A kubeconfig whose requests share their connections. The library builds a new TLS connection for
 * every request (`createDispatcher` in its config.js) and leaves it open: 200 lists are 200
 * connections, at 8 times the CPU.
 */
class ReusingKubeConfig extends KubeConfig {
  #dispatcher: Dispatcher | undefined;
  #since = 0;
  #turn: Promise<unknown> = Promise.resolve();

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    // Reads the token file again when it is older than a minute.
    await this.#inTurn(() => super.applySecurityAuthentication(context));
    const fresh = context.getDispatcher();
    if (fresh === undefined) return; // plain http: the library's global connections
    if (this.#dispatcher === undefined || Date.now() - this.#since > REFRESH_MS) {
      const old = this.#dispatcher;
      this.#dispatcher = fresh;
      this.#since = Date.now();
      void old?.close(); // waits for the requests in flight, watches included
    }
    context.setDispatcher(this.#dispatcher);
  }

  override async applyToHTTPSOptions(options: RequestOptions): Promise<void> {
    await this.#inTurn(() => super.applyToHTTPSOptions(options));
  }

  /**
   * Runs one after the other what needs credentials. The library keeps those of an exec plugin once it has them, and
   * starts the plugin again for each request that comes before: a login page each, where the plugin opens one.
   */
  async #inTurn(apply: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(apply);
    this.#turn = mine.catch(() => undefined);
    await mine;
  }

  /** Ends every connection, also those that are in use. */
  async destroyConnections(): Promise<void> {
    await this.#dispatcher?.destroy();
    this.#dispatcher = undefined;
  }
}

/** Where to find the cluster. What is not given is searched for as kubectl does. */
export interface KubeconfigChoice {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/** A kubeconfig that names a cluster. */
export interface Kubeconfig {
  readonly config: ReusingKubeConfig;
  readonly server: string;
  readonly inCluster: boolean;
}

/** The library's fallback when it finds nothing: never what anybody wants. */
const NOTHING_FOUND = 'http://localhost:8080';

/**
 * Returns the kubeconfig to use: the given file, else $KUBECONFIG, else ~/.kube/config, else the
 * service account of the pod. Returns the sentence for the user where none can be used.
 */
export function loadKubeconfig(choice: KubeconfigChoice): Result<Kubeconfig, string> {
  const config = new ReusingKubeConfig();
  const where = choice.kubeconfig ?? 'the kubeconfig ($KUBECONFIG or ~/.kube/config)';
  try {
    if (choice.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(choice.kubeconfig);
  } catch (error) {
    return { ok: false, error: `Cannot read ${where}: ${error instanceof Error ? error.message : String(error)}` };
  }
  const names = config.getContexts().map((context) => context.name);
  if (choice.context !== undefined) {
    if (!names.includes(choice.context)) {
      return {
        ok: false,
        error: `No context "${choice.context}" in ${where}. It has: ${names.join(', ') || 'none'}.`,
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
        error: `The context "${current}" in ${where} names the cluster "${named}", which is not there.`,
      };
    }
    const advice = names.length === 0 ? 'it has no contexts' : `choose one with --context: ${names.join(', ')}`;
    return { ok: false, error: `No current context in ${where}: ${advice}.` };
  }
  if (cluster.server === NOTHING_FOUND && choice.kubeconfig === undefined && names.length === 1) {
    return {
      ok: false,
      error: 'No cluster found: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account token.',
    };
  }
  if (!URL.canParse(cluster.server)) {
    return { ok: false, error: `The server "${cluster.server}" in ${where} is not a URL.` };
  }
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    return {
      ok: false,
      error: `The server ${cluster.server} is plain http: give an https address, or set insecure-skip-tls-verify.`,
    };
  }
  const inCluster = config.getCurrentContext() === 'inClusterContext';
  return { ok: true, value: { config, server: cluster.server.replace(/\/+$/, ''), inCluster } };
}
