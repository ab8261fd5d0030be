import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Scope } from '../autoscrape/serving.ts';

/** Lets a server listen on a free port of the loopback address until the scope ends. Returns the port. */
export async function listenOnLoopback(scope: Scope, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server does not listen on a port');
  return address.port;
}
