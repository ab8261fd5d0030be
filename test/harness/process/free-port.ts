import { once } from 'node:events';
import { createServer } from 'node:net';
import { hasCode } from '../../../tools/error-code.ts';

const handedOut = new Set<number>();

/**
 * Returns a port of the loopback address that nothing listens on. It lies below those that the system gives to outgoing
 * connections, so that it stays free while its process restarts.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!handedOut.has(port) && (await isFree(port))) {
      handedOut.add(port);
      return port;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) return false;
    throw error;
  }
}
