import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { MAX_AGE_MILLISECONDS } from './limits.ts';

/** The open connections of a server. */
export interface Connections {
  /** Whether the answer that is about to be sent should be the connection's last. */
  readonly isPastItsAge: (socket: Socket) => boolean;
  /**
   * Refuses new connections, and resolves when the open ones are gone: idle ones are closed at once, the others after
   * their answer, or cut off when `cut` is aborted.
   */
  readonly close: (cut: AbortSignal) => Promise<void>;
}

interface Connection {
  /** When it should close, in milliseconds of `performance.now()`. */
  readonly end: number;
  requests: number;
}

/**
 * The connections of an HTTPS server that doesn't listen yet, tracked from now on. Node's own closeIdleConnections does
 * not see a connection that never sent a request, and such a one keeps a server from closing (so fastify#7044).
 */
export function trackConnections(server: Server): Connections {
  const open = new Map<Socket, Connection>();
  // Connections in their handshake; they carry no request.
  const raw = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    raw.add(socket);
    socket.once('close', () => raw.delete(socket));
  });
  server.on('secureConnection', (socket) => {
    const jitter = 0.8 + 0.4 * Math.random();
    open.set(socket, { end: performance.now() + MAX_AGE_MILLISECONDS * jitter, requests: 0 });
    socket.once('close', () => open.delete(socket));
  });
  server.prependListener('request', (request, response) => {
    const connection = open.get(request.socket);
    if (connection === undefined) return;
    connection.requests++;
    response.once('close', () => connection.requests--);
  });

  function closeIdle(): void {
    for (const [socket, { requests }] of open) if (requests === 0) socket.destroy();
  }
  function closeAll(): void {
    for (const socket of raw) socket.destroy();
  }
  return {
    isPastItsAge: (socket) => performance.now() > (open.get(socket)?.end ?? Infinity),
    async close(cut) {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      const idle = setInterval(closeIdle, 100);
      closeIdle();
      if (cut.aborted) closeAll();
      cut.addEventListener('abort', closeAll);
      await closed;
      clearInterval(idle);
      cut.removeEventListener('abort', closeAll);
    },
  };
}
