import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../tools/command.ts';
import type { CommandOptions, CommandResult } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';
import { temporaryFolder } from '../process/temporary-folder.ts';

/** A running Prometheus. */
export interface Prometheus {
  readonly url: string;
  targets(): Promise<Targets>;
  /** Gives it another configuration, which it may refuse. */
  reload(configuration: unknown): Promise<void>;
  /** The samples of an instant query. */
  query(expression: string): Promise<Sample[]>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** As much of /api/v1/targets as tells what is scraped, and what relabelling refused. */
export interface Targets {
  readonly activeTargets: readonly {
    readonly discoveredLabels: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
    readonly scrapeUrl: string;
    readonly health: 'up' | 'down' | 'unknown';
    readonly lastError: string;
  }[];
  readonly droppedTargets: readonly { readonly discoveredLabels: Readonly<Record<string, string>> }[];
}

/** One series of an instant query's answer. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Where Prometheus runs, when not on this machine's loopback address: in a node, at the node's address. */
export interface PrometheusPlace {
  readonly enter: readonly string[];
  readonly address: string;
}

/** Starts Prometheus with this configuration and returns it once it answers. Its web page isn't there, its API is. */
export async function startPrometheus(
  configuration: unknown,
  place?: PrometheusPlace,
  flags: readonly string[] = [],
): Promise<Prometheus> {
  const command = await component('prometheus');
  const { directory, remove } = await temporaryFolder('prometheus');
  const file = join(directory, 'prometheus.json');
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  const address = place === undefined ? `127.0.0.1:${await freePort()}` : `${place.address}:9090`;
  const url = `http://${address}`;
  const daemon = await startDaemon({
    ...(place !== undefined && { enter: place.enter }),
    name: 'prometheus',
    directory,
    command,
    args: [
      `--config.file=${file}`,
      `--storage.${flags.includes('--agent') ? 'agent' : 'tsdb'}.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}`,
      '--web.enable-lifecycle',
      ...flags,
    ],
  });
  const stop = async (): Promise<void> => {
    await daemon.kill();
    remove();
  };
  try {
    await ready(daemon, async () => (await fetch(`${url}/-/ready`)).ok);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    targets: () => ask<Targets>(url, 'targets'),
    async reload(next) {
      await writeFile(file, JSON.stringify(next, undefined, 2));
      await fetch(`${url}/-/reload`, { method: 'POST' });
    },
    async query(expression) {
      const { result } = await ask<{ result: { metric: Sample['labels']; value: [number, string] }[] }>(
        url,
        `query?query=${encodeURIComponent(expression)}`,
      );
      return result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }));
    },
    stop,
  };
}

/** Runs promtool, for example `check metrics` with the metrics as its input, and returns what it found. */
export async function promtool(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return runCommand(await component('promtool'), args, options);
}

async function ask<Data>(url: string, path: string): Promise<Data> {
  const response = await fetch(`${url}/api/v1/${path}`);
  const said = await response.text();
  if (!response.ok) throw new Error(`Prometheus answered ${response.status} to ${path}: ${said}`);
  const { data }: { data: Data } = JSON.parse(said);
  return data;
}
