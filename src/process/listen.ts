import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Server } from 'node:net';
import { UserError } from './user-error.ts';

/** Where to listen. */
export interface ListenOptions {
  /** Default: all addresses of the machine. */
  readonly host: string | undefined;
  /** 0 picks a free one. */
  readonly port: number;
  /** The flag that sets the port, for the error message. */
  readonly flag: string;
}

/**
 * Most connections that wait to be accepted. A burst soon fills Node's default of 511; further
 * clients retry after a second, a third of the API server's time limit for a call. Linux caps it at
 * net.core.somaxconn, 4096 by default.
 */
const BACKLOG = 4096;

/** Starts to listen and returns the port. Throws a UserError when the port is not available. */
export async function listen(server: Server, { host, port, flag }: ListenOptions): Promise<number> {
  server.listen({ port, host: host ?? anyAddress(), backlog: BACKLOG });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw toUserError(error, port, flag);
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** Returns `::`, which accepts IPv4 too, unless IPv6 is disabled. */
function anyAddress(): '::' | '0.0.0.0' {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.some((address) => address?.family === 'IPv6') ? '::' : '0.0.0.0';
}

/** Returns a UserError that says what to do about a failed listen, or any other error unchanged. */
function toUserError(error: unknown, port: number, flag: string): unknown {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return new UserError(`port ${port} is in use by another process: choose another one with ${flag}`, {
        cause: error,
      });
    case 'EACCES':
      return new UserError(`permission denied for port ${port}: choose one above 1023 with ${flag}`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UserError(
        '--host is not an address of this machine: choose one of its addresses, or leave --host out',
        { cause: error },
      );
    default:
      return error;
  }
}
