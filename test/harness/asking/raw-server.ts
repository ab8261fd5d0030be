import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A server that speaks whatever the test says, on an address of the loopback interface. */
export interface RawServer {
  readonly address: string;
  readonly port: number;
  /** How many connections it has seen. */
  readonly connections: () => number;
  /** What was sent to it up to the empty line, one entry a request. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Starts a server that calls `answer` when a request's headers are there, or at once where it speaks `first`. */
export async function startRawServer(
  answer: (socket: Socket, path: string) => unknown,
  { first = false, address = '127.0.0.1', port: at = 0 } = {},
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    // The client has gone, mostly before all was sent.
    socket.on('end', () => socket.end());
    if (first) answer(socket, '');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = received.slice(0, end + 4);
      received = '';
      requests.push(head);
      if (!first) answer(socket, head.split(' ')[1] ?? '');
    });
  });
  server.listen(at, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address,
    port,
    connections: () => connections,
    requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
