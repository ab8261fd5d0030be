import { startSample } from '../sample/server.ts';
import { handleShutdown } from '../shutdown.ts';

/** What `autoscrape sample` was told by flags and environment. */
export interface SampleOptions {
  readonly host?: string;
  readonly port: number;
}

/** The exit code of a sample app that has run until SIGTERM or SIGINT: 0, or 1 after an uncaught error. */
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
