import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { component } from '../build/components.ts';
import { prometheusOperatorCrds } from '../build/crds.ts';
import type { Job } from '../consumers/consumer.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import type { Daemon } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';
import { waitFor } from '../process/wait-for.ts';
import { temporaryFolder } from '../process/temporary-folder.ts';

/** A running Prometheus Operator. */
export interface PrometheusOperator {
  /**
   * Applies the ScrapeConfigs, as YAML, in a new namespace, with a Prometheus that selects all of them there. Returns the jobs
   * of the configuration that the operator writes for it.
   */
  jobsOf(namespace: string, scrapeConfigs: string): Promise<readonly Job[]>;
  stop(): Promise<void>;
}

/** Installs the Prometheus Operator's CRDs and starts it beside the cluster; no Prometheus starts, for want of a node. */
export async function startPrometheusOperator(cluster: ControlPlane): Promise<PrometheusOperator> {
  const [operator, kubectl] = [await component('prometheus-operator'), await component('kubectl')];
  const { directory, remove } = await temporaryFolder('prometheus-operator');
  const started: Daemon[] = [];
  const start = async (name: string, command: string, args: readonly string[], probed: string): Promise<void> => {
    const daemon = await startDaemon({ name, directory, command, args });
    started.push(daemon);
    await ready(daemon, async () => (await fetch(probed)).ok);
  };
  const stop = async (): Promise<void> => {
    for (const daemon of started.toReversed()) await daemon.kill();
    remove();
  };
  try {
    await cluster.kubectl(['apply', '--server-side', '-f', await prometheusOperatorCrds()]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    // The operator takes no kubeconfig, only an address and a client certificate, and our API server knows users by tokens.
    const [proxy, web] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const port = `--port=${proxy.split(':')[1]}`;
    await start('proxy', kubectl, ['--kubeconfig', cluster.kubeconfig, 'proxy', port], `http://${proxy}/readyz`);
    const flags = [`--apiserver=http://${proxy}`, `--web.listen-address=${web}`];
    await start('prometheus-operator', operator, flags, `http://${web}/healthz`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async jobsOf(namespace, scrapeConfigs) {
      await cluster.kubectl(['create', 'namespace', namespace]);
      const applied = await cluster.kubectl(['apply', '-n', namespace, '-f', '-'], scrapeConfigs);
      const prometheus = {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'Prometheus',
        metadata: { name: 'all' },
        // Those of its own namespace.
        spec: { scrapeConfigSelector: {} },
      };
      await cluster.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(prometheus));
      return waitFor('the operator to write the configuration', async () => {
        const { body } = await cluster.request<{ data?: Readonly<Record<string, string>> }>(
          'GET',
          `/api/v1/namespaces/${namespace}/secrets/prometheus-all`,
        );
        const packed = body.data?.['prometheus.yaml.gz'];
        if (packed === undefined) return undefined;
        const { scrape_configs: jobs }: { scrape_configs: readonly Job[] } = parse(
          gunzipSync(Buffer.from(packed, 'base64')).toString(),
        );
        return jobs.length === applied.trim().split('\n').length ? jobs : undefined;
      });
    },
    stop,
  };
}
