import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { component } from '../build/components.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';
import { temporaryFolder } from '../process/temporary-folder.ts';
import type { Targets } from './prometheus.ts';

/** A running vmagent. */
export interface Vmagent {
  targets(): Promise<Targets>;
  /** What it has logged so far that is not information. */
  complaints(): Promise<readonly string[]>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts VictoriaMetrics' vmagent with this configuration and returns it once it answers. It sends its samples to the URL,
 * by Prometheus' remote write, each second.
 */
export async function startVmagent(
  configuration: unknown,
  remoteWrite: string,
  flags: readonly string[] = [],
): Promise<Vmagent> {
  const command = await component('vmagent');
  const { directory, remove } = await temporaryFolder('vmagent');
  const file = join(directory, 'vmagent.json');
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  const address = `127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon({
    name: 'vmagent',
    directory,
    command,
    args: [
      `-promscrape.config=${file}`,
      '-promscrape.kubernetesSDCheckInterval=1s',
      `-httpListenAddr=${address}`,
      `-remoteWrite.url=${remoteWrite}`,
      '-remoteWrite.forcePromProto',
      `-remoteWrite.tmpDataPath=${join(directory, 'data')}`,
      '-loggerFormat=json',
      ...flags,
    ],
  });
  const stop = async (): Promise<void> => {
    await daemon.kill();
    remove();
  };
  try {
    await ready(daemon, async () => (await fetch(`http://${address}/health`)).ok);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async targets() {
      const { data }: { data: Targets } = JSON.parse(await (await fetch(`http://${address}/api/v1/targets`)).text());
      return data;
    },
    async complaints() {
      const lines = (await readFile(daemon.logFile, 'utf8')).trim().split('\n');
      const entries = lines.map((line): { level: string; msg: string } => JSON.parse(line));
      return entries.filter(({ level }) => level !== 'info').map(({ level, msg }) => `${level}: ${msg}`);
    },
    stop,
  };
}
