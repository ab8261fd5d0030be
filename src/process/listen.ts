import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Server } from 'node:net';
import { UserError } from './user-error.ts';

/** Where to listen. */
export interface ListenOptions {
  /** Without it every address of the machine. */
  readonly host: string | undefined;
  /** 0 picks a free one. */
  readonly port: number;
  /** The flag that sets the port, for the message when it can't be had. */
  readonly flag: string;
}

/**
 * Connections that wait to be accepted. In a burst Node's 511 are soon full; what comes then is repeated after a second,
 * which is a third of the time that a call has. Linux takes no more than net.core.somaxconn, 4096 by default.
 */
const BACKLOG = 4096;

/** The port that the server listens on from now on. Throws a UserError when it can't be had. */
export async function listen(server: Server, { host, port, flag }: ListenOptions): Promise<number> {
  server.listen({ port, host: host ?? anyAddress(), backlog: BACKLOG });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw explain(error, port, flag);
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** `::` takes IPv4 too, but can't be had where IPv6 is off. */
function anyAddress(): '::' | '0.0.0.0' {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.some((address) => address?.family === 'IPv6') ? '::' : '0.0.0.0';
}

function explain(error: unknown, port: number, flag: string): unknown {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return new UserError(`port ${port} is in use by another process: give another one with ${flag}`, {
        cause: error,
      });
    case 'EACCES':
      return new UserError(`port ${port} may not be opened by this user: give one above 1023 with ${flag}`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UserError('the address given with --host is not one of this machine', { cause: error });
    default:
      return error;
  }
}
