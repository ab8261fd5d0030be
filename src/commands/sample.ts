import { startSample } from '../sample/server.ts';
import { handleShutdown } from '../process/shutdown.ts';
import { Command, hostOption, integer, option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('sample')
  .description('Runs a small app that exposes the counter count_total on /metrics.')
  .addOption(hostOption)
  .addOption(
    option('--port <number>', 'port for /metrics (HTTP); 0 chooses a free one')
      .default(8000)
      .argParser(integer(0, 65535)),
  )
  .addHelpText('after', examples(['Open it in a browser at http://localhost:8000', 'autoscrape sample --port 8000']));

/** `autoscrape sample`. */
export const command = flags.action(async (options) => {
  process.exitCode = await sample(options);
});

/** The options of `autoscrape sample`. */
export type SampleOptions = OptionsOf<typeof flags>;

/** Runs the sample app until SIGTERM or SIGINT, and returns the exit code: 0, or 1 after an uncaught error. */
export async function sample({ host, port }: SampleOptions): Promise<number> {
  const shutdown = handleShutdown((error) => console.error(error));
  const app = await startSample({ host, port });
  console.log(`The sample app's metrics are at http://${urlHost(host)}:${app.port}/metrics (Ctrl-C stops it).`);
  const reason = await shutdown.requested;
  await app.stop();
  return reason === 'failure' ? 1 : 0;
}

function urlHost(host: string | undefined): string {
  if (host === undefined) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
