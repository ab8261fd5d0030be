import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { Counter } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';

// Every pod in the cluster can connect to our ports, so an attacker can open any number of
// connections and hold them. At the limit we accept the new connection and drop an old one. Node's
// own `maxConnections` does the opposite: it drops the new one, which may be the API server's or the
// kubelet's.

/** Why a connection was dropped: one too many, a TLS handshake that took too long, no valid certificate of the client, or another timeout. */
export type DropReason = 'limit' | 'handshake' | 'client_certificate' | 'timeout';

/** The limits of a server's connections. */
export interface ConnectionLimits {
  /** Most open connections. */
  readonly maxConnections: number;
  /** Milliseconds within which a connection must have brought its first valid request. */
  readonly firstRequestMs: number;
  /** Milliseconds from a request's headers until its answer is written. */
  readonly answerMs: number;
  /** Milliseconds after which a connection should close with its next answer, plus or minus a random fifth. Default: never. */
  readonly maxAgeMs?: number;
  /** Called for each dropped connection. */
  onDrop(reason: DropReason): void;
}

/** The open connections of a server. */
export interface Connections {
  /** Records that the connection has brought a valid request. */
  markValid(socket: Socket): void;
  /** Returns whether the next answer should close the connection, because of its age. */
  isPastMaxAge(socket: Socket): boolean;
  /**
   * Refuses new connections, and resolves when all are closed: idle ones at once, the others after
   * their answer, or all when `force` is aborted.
   */
  close(force: AbortSignal): Promise<void>;
}

/** How far a connection has come. Connections are dropped in this order. */
const STAGES = ['handshake', 'unvalidated', 'valid'] as const;
type Stage = (typeof STAGES)[number];

/** In milliseconds of `performance.now()`. */
type Time = number;

interface Connection {
  readonly address: string;
  readonly openedAt: Time;
  /** When it should close because of its age. */
  readonly maxAgeAt: Time;
  /** The requests that are not answered yet, and when their headers were complete. */
  readonly requests: Map<IncomingMessage, Time>;
  stage: Stage;
  /** The TLS socket after the handshake. */
  socket: Socket;
}

/** The connections of one stage. */
interface StageConnections {
  /** The longest idle first. */
  readonly connections: Set<Connection>;
  /** The number of connections from each address. */
  readonly byAddress: Map<string, number>;
}

/** Milliseconds between checks for connections that take too long. */
const CHECK_TIMEOUTS_MS = 1_000;

/** Milliseconds between checks for idle connections while a server closes. */
const CLOSE_IDLE_MS = 100;

/**
 * Enforces the limits on an HTTP or HTTPS server that doesn't listen yet.
 *
 * At the limit it drops a connection of the first stage that has more than a quarter of all
 * connections: TLS handshakes, then connections without a valid request yet, then the others. The
 * quarter is for new clients: where valid connections take all the rest, the API server's next
 * connection must still complete its handshake. Within the stage it drops the longest idle
 * connection of the address with the most: so a flood drops its own connections, and not those that
 * other clients opened in between. A connection whose request is being answered is dropped only if
 * all are.
 *
 * Node's closeIdleConnections ignores a connection that never sent a request, which keeps the server
 * from closing (fastify#7044): hence our own `close`.
 */
export function limitConnections(server: HttpServer | TlsServer, limits: ConnectionLimits): Connections {
  const { maxConnections, firstRequestMs, answerMs, maxAgeMs = Infinity } = limits;
  const hasTls = server instanceof TlsServer;
  const stages: Readonly<Record<Stage, StageConnections>> = {
    handshake: { connections: new Set(), byAddress: new Map() },
    unvalidated: { connections: new Set(), byAddress: new Map() },
    valid: { connections: new Set(), byAddress: new Map() },
  };
  const bySocket = new WeakMap<Socket, Connection>();
  // Node doesn't say which TLS socket belongs to which TCP socket, but both have the same endpoints.
  const handshakes = new Map<string, Connection>();

  function count(): number {
    return STAGES.reduce((sum, stage) => sum + stages[stage].connections.size, 0);
  }
  function remove(connection: Connection): void {
    const { connections, byAddress } = stages[connection.stage];
    if (!connections.delete(connection)) return;
    const others = (byAddress.get(connection.address) ?? 0) - 1;
    if (others > 0) byAddress.set(connection.address, others);
    else byAddress.delete(connection.address);
  }
  /** Makes it the most recently used connection of the stage. */
  function moveTo(connection: Connection, stage: Stage): void {
    remove(connection);
    connection.stage = stage;
    const { connections, byAddress } = stages[stage];
    connections.add(connection);
    byAddress.set(connection.address, (byAddress.get(connection.address) ?? 0) + 1);
  }
  function drop(connection: Connection, reason: DropReason): void {
    remove(connection);
    connection.socket.destroy();
    limits.onDrop(reason);
  }
  function dropOne(): void {
    const crowded = STAGES.filter((stage) => stages[stage].connections.size > maxConnections / 4);
    for (const stage of [...crowded, ...STAGES]) {
      const connection = longestIdle(stages[stage]);
      if (connection !== undefined) return drop(connection, 'limit');
    }
    const [oldest] = stages[crowded[0] ?? 'valid'].connections;
    if (oldest !== undefined) drop(oldest, 'limit');
  }

  server.on('connection', (socket: Socket) => {
    const endpoints = endpointsOf(socket);
    if (endpoints === undefined) return void socket.destroy(); // the client has hung up already
    if (count() >= maxConnections) dropOne();
    const openedAt = performance.now();
    const connection: Connection = {
      address: socket.remoteAddress ?? '',
      openedAt,
      maxAgeAt: openedAt + maxAgeMs * (0.8 + 0.4 * Math.random()),
      requests: new Map(),
      stage: hasTls ? 'handshake' : 'unvalidated',
      socket,
    };
    moveTo(connection, connection.stage);
    bySocket.set(socket, connection);
    if (hasTls) handshakes.set(endpoints, connection);
    socket.once('close', () => {
      remove(connection);
      if (handshakes.get(endpoints) === connection) handshakes.delete(endpoints);
    });
  });
  server.on('secureConnection', (socket: Socket) => {
    const endpoints = endpointsOf(socket);
    const connection = endpoints === undefined ? undefined : handshakes.get(endpoints);
    if (endpoints === undefined || connection === undefined || connection.socket.destroyed)
      return void socket.destroy();
    handshakes.delete(endpoints);
    connection.socket = socket;
    bySocket.set(socket, connection);
    socket.once('close', () => remove(connection));
    moveTo(connection, 'unvalidated');
  });
  server.prependListener('request', (request, response) => {
    const connection = bySocket.get(request.socket);
    if (connection === undefined) return;
    connection.requests.set(request, performance.now());
    if (connection.stage === 'valid') moveTo(connection, 'valid');
    response.once('close', () => connection.requests.delete(request));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') limits.onDrop('handshake');
    else if (isCertificateRefused(error, socket)) limits.onDrop('client_certificate');
  });
  // Node's headersTimeout or requestTimeout.
  server.on('clientError', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') limits.onDrop('timeout');
  });

  function checkTimeouts(): void {
    const now = performance.now();
    for (const { connections } of [stages.handshake, stages.unvalidated]) {
      for (const connection of connections) {
        if (now - connection.openedAt > firstRequestMs && !isBeingAnswered(connection)) drop(connection, 'timeout');
      }
    }
    // Node limits the time for sending a request, but not for reading the answer.
    for (const { connections } of Object.values(stages)) {
      for (const connection of connections) {
        const [oldest = now] = connection.requests.values();
        if (now - oldest > answerMs) drop(connection, 'timeout');
      }
    }
  }
  const timeoutTimer = setInterval(checkTimeouts, CHECK_TIMEOUTS_MS).unref();

  function closeIdle(): void {
    for (const stage of ['unvalidated', 'valid'] as const) {
      for (const { requests, socket } of stages[stage].connections) if (requests.size === 0) socket.destroy();
    }
  }
  function closeAll(): void {
    for (const { connections } of Object.values(stages)) for (const { socket } of connections) socket.destroy();
  }
  return {
    markValid(socket) {
      const connection = bySocket.get(socket);
      if (connection !== undefined && !socket.destroyed) moveTo(connection, 'valid');
    },
    isPastMaxAge: (socket) => performance.now() > (bySocket.get(socket)?.maxAgeAt ?? Infinity),
    async close(force) {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      const idleTimer = setInterval(closeIdle, CLOSE_IDLE_MS);
      closeIdle();
      if (force.aborted) closeAll();
      force.addEventListener('abort', closeAll);
      await closed;
      clearInterval(idleTimer);
      clearInterval(timeoutTimer);
      force.removeEventListener('abort', closeAll);
    },
  };
}

/** Returns whether a handshake failed because the client has no certificate, or none of the CA that is asked for. */
function isCertificateRefused({ code }: NodeJS.ErrnoException, socket: TLSSocket): boolean {
  // Node sets authorizationError to null before it verifies, whatever its type says.
  return code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' || Boolean(socket.authorizationError);
}

/** Returns the connection's endpoints as one key, or undefined where it is closed. */
function endpointsOf({ remoteAddress, remotePort, localAddress }: Socket): string | undefined {
  if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/**
 * Returns the longest idle connection of the address with the most; or of any other address where
 * all of those are being answered; or undefined where all are.
 */
function longestIdle({ connections, byAddress }: StageConnections): Connection | undefined {
  let busiest = '';
  for (const [address, count] of byAddress) if (count > (byAddress.get(busiest) ?? 0)) busiest = address;
  let other: Connection | undefined;
  for (const connection of connections) {
    if (isBeingAnswered(connection)) continue;
    if (connection.address === busiest) return connection;
    other ??= connection;
  }
  return other;
}

/**
 * Returns whether a complete request waits for its answer. One that is still being received doesn't
 * count: it may be a slow client on purpose.
 */
function isBeingAnswered({ requests }: Connection): boolean {
  for (const request of requests.keys()) if (request.complete) return true;
  return false;
}

/**
 * Returns a function that counts the dropped connections of the named server. Its series begin at 0.
 * All servers of a process share one metric.
 */
export function createDropCounter(
  registry: Registry,
  server: 'webhook' | 'health',
  reasons: readonly DropReason[],
): (reason: DropReason) => void {
  const name = 'autoscrape_connections_dropped_total';
  const counter =
    registry.getSingleMetric(name) ??
    new Counter({
      name,
      help: 'Connections that were dropped, by server and reason: limit (to make room for a new one), handshake or timeout (too slow), client_certificate (none, or of another CA).',
      labelNames: ['server', 'reason'],
      registers: [registry],
    });
  if (!(counter instanceof Counter)) throw new Error(`${name} is not a counter`);
  for (const reason of reasons) counter.inc({ server, reason }, 0);
  return (reason) => counter.inc({ server, reason });
}
