import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { Counter } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';

/*
 * Both servers take calls from anybody in the cluster, so somebody may open as many connections as he likes and hold
 * them. When all places are taken a new connection is accepted all the same, and an old one is dropped for it. Node's own
 * `maxConnections` does the opposite: it drops the new one, which may be the API server's or the kubelet's.
 */

/** Why a connection was dropped: it was one too many, its TLS handshake took too long, or something else did. */
export type DropReason = 'limit' | 'handshake' | 'timeout';

/** What a server's connections are allowed. */
export interface ConnectionLimits {
  /** Open connections. */
  readonly limit: number;
  /** Milliseconds in which a connection must have brought its first valid request. */
  readonly proofMilliseconds: number;
  /** Milliseconds for one request, until its answer has been taken. */
  readonly exchangeMilliseconds: number;
  /** Milliseconds after which an answer should be the connection's last, give or take a fifth; without it there is no such age. */
  readonly maxAgeMilliseconds?: number;
  /** Told of each connection that is dropped. */
  readonly onDrop: (reason: DropReason) => void;
}

/** The open connections of a server. */
export interface Connections {
  /** Says that the connection has brought a valid request. */
  readonly prove: (socket: Socket) => void;
  /** Whether the answer that is about to be sent should be the connection's last. */
  readonly isPastItsAge: (socket: Socket) => boolean;
  /**
   * Refuses new connections, and resolves when the open ones are gone: idle ones are closed at once, the others after
   * their answer, or cut off when `cut` is aborted.
   */
  readonly close: (cut: AbortSignal) => Promise<void>;
}

/** How far a connection has come, in the order in which connections are dropped. */
const STAGES = ['handshake', 'unproven', 'proven'] as const;
type Stage = (typeof STAGES)[number];

/** In milliseconds of `performance.now()`. */
type Time = number;

interface Connection {
  readonly address: string;
  readonly began: Time;
  /** When it should close. */
  readonly end: Time;
  /** The requests whose answer is not out yet, and when their headers were there. */
  readonly exchanges: Map<IncomingMessage, Time>;
  stage: Stage;
  /** The TLS socket once there is one. */
  socket: Socket;
}

/** Connections of one stage, the longest idle first. */
interface Places {
  readonly connections: Set<Connection>;
  /** How many each address has. */
  readonly byAddress: Map<string, number>;
}

/** Milliseconds between the looks for connections that take too long. */
const SWEEP_MILLISECONDS = 1_000;

/** Milliseconds between the looks for idle connections while a server closes. */
const CLOSE_IDLE_MILLISECONDS = 100;

/**
 * Holds the connections of an HTTP or HTTPS server that doesn't listen yet to the limits, from now on.
 *
 * When there are too many, the first of these stages goes that has more than a quarter of the places: TLS handshakes, then
 * connections that never brought a valid request, then the others. The quarter is for newcomers: where all others are
 * taken by connections that did bring a request, the API server's next one must still get through its handshake. Of that
 * stage the address with the most connections loses the one that has been idle longest: so a flood drops its own, and
 * not those that came in between. A connection with a request being answered goes only if all have one.
 *
 * Node's closeIdleConnections does not see a connection that never sent a request, and such a one keeps a server from
 * closing (so fastify#7044): hence `close`.
 */
export function trackConnections(server: HttpServer | TlsServer, limits: ConnectionLimits): Connections {
  const { limit, proofMilliseconds, exchangeMilliseconds, maxAgeMilliseconds = Infinity, onDrop } = limits;
  const hasTls = server instanceof TlsServer;
  const places: Readonly<Record<Stage, Places>> = {
    handshake: { connections: new Set(), byAddress: new Map() },
    unproven: { connections: new Set(), byAddress: new Map() },
    proven: { connections: new Set(), byAddress: new Map() },
  };
  const bySocket = new WeakMap<Socket, Connection>();
  // Node doesn't tell which TLS socket belongs to which TCP socket, but both know the ends of their connection.
  const handshakes = new Map<string, Connection>();

  function size(): number {
    return STAGES.reduce((sum, stage) => sum + places[stage].connections.size, 0);
  }
  function leave(connection: Connection): void {
    const { connections, byAddress } = places[connection.stage];
    if (!connections.delete(connection)) return;
    const left = (byAddress.get(connection.address) ?? 0) - 1;
    if (left > 0) byAddress.set(connection.address, left);
    else byAddress.delete(connection.address);
  }
  /** Moves the connection to the end of the stage. */
  function enter(connection: Connection, stage: Stage): void {
    leave(connection);
    connection.stage = stage;
    const { connections, byAddress } = places[stage];
    connections.add(connection);
    byAddress.set(connection.address, (byAddress.get(connection.address) ?? 0) + 1);
  }
  function drop(connection: Connection, reason: DropReason): void {
    leave(connection);
    connection.socket.destroy();
    onDrop(reason);
  }
  function makeRoom(): void {
    const crowded = STAGES.filter((stage) => places[stage].connections.size > limit / 4);
    for (const stage of [...crowded, ...STAGES]) {
      const connection = leastMissed(places[stage]);
      if (connection !== undefined) return drop(connection, 'limit');
    }
    const [answering] = places[crowded[0] ?? 'proven'].connections;
    if (answering !== undefined) drop(answering, 'limit');
  }

  server.on('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    if (ends === undefined) return void socket.destroy(); // its client has gone already
    if (size() >= limit) makeRoom();
    const began = performance.now();
    const connection: Connection = {
      address: socket.remoteAddress ?? '',
      began,
      end: began + maxAgeMilliseconds * (0.8 + 0.4 * Math.random()),
      exchanges: new Map(),
      stage: hasTls ? 'handshake' : 'unproven',
      socket,
    };
    enter(connection, connection.stage);
    bySocket.set(socket, connection);
    if (hasTls) handshakes.set(ends, connection);
    socket.once('close', () => {
      leave(connection);
      if (handshakes.get(ends) === connection) handshakes.delete(ends);
    });
  });
  server.on('secureConnection', (socket: Socket) => {
    const ends = endsOf(socket);
    const connection = ends === undefined ? undefined : handshakes.get(ends);
    if (ends === undefined || connection === undefined || connection.socket.destroyed) return void socket.destroy();
    handshakes.delete(ends);
    connection.socket = socket;
    bySocket.set(socket, connection);
    socket.once('close', () => leave(connection));
    enter(connection, 'unproven');
  });
  server.prependListener('request', (request, response) => {
    const connection = bySocket.get(request.socket);
    if (connection === undefined) return;
    connection.exchanges.set(request, performance.now());
    if (connection.stage === 'proven') enter(connection, 'proven');
    response.once('close', () => connection.exchanges.delete(request));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') onDrop('handshake');
  });
  // By Node's headersTimeout or requestTimeout.
  server.on('clientError', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') onDrop('timeout');
  });

  function sweep(): void {
    const now = performance.now();
    for (const { connections } of [places.handshake, places.unproven]) {
      for (const connection of connections) {
        if (now - connection.began > proofMilliseconds && !isBeingAnswered(connection)) drop(connection, 'timeout');
      }
    }
    // Node limits the time for a request, but not for whoever doesn't read the answer.
    for (const { connections } of Object.values(places)) {
      for (const connection of connections) {
        const [oldest = now] = connection.exchanges.values();
        if (now - oldest > exchangeMilliseconds) drop(connection, 'timeout');
      }
    }
  }
  const sweeping = setInterval(sweep, SWEEP_MILLISECONDS).unref();

  function closeIdle(): void {
    for (const stage of ['unproven', 'proven'] as const) {
      for (const { exchanges, socket } of places[stage].connections) if (exchanges.size === 0) socket.destroy();
    }
  }
  function closeAll(): void {
    for (const { connections } of Object.values(places)) for (const { socket } of connections) socket.destroy();
  }
  return {
    prove(socket) {
      const connection = bySocket.get(socket);
      if (connection !== undefined && !socket.destroyed) enter(connection, 'proven');
    },
    isPastItsAge: (socket) => performance.now() > (bySocket.get(socket)?.end ?? Infinity),
    async close(cut) {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      const idle = setInterval(closeIdle, CLOSE_IDLE_MILLISECONDS);
      closeIdle();
      if (cut.aborted) closeAll();
      cut.addEventListener('abort', closeAll);
      await closed;
      clearInterval(idle);
      clearInterval(sweeping);
      cut.removeEventListener('abort', closeAll);
    },
  };
}

/** The addresses and ports of both ends, or undefined where there is no connection any more. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string | undefined {
  if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** Of the address with the most connections the one that has been idle longest; undefined where all are being answered. */
function leastMissed({ connections, byAddress }: Places): Connection | undefined {
  let crowd = '';
  for (const [address, count] of byAddress) if (count > (byAddress.get(crowd) ?? 0)) crowd = address;
  let other: Connection | undefined;
  for (const connection of connections) {
    if (isBeingAnswered(connection)) continue;
    if (connection.address === crowd) return connection;
    other ??= connection;
  }
  return other;
}

/** Whether a request is complete whose answer is not out yet. One that is still being received may be so for its slowness. */
function isBeingAnswered({ exchanges }: Connection): boolean {
  for (const request of exchanges.keys()) if (request.complete) return true;
  return false;
}

/**
 * A counter of dropped connections, registered, for the server of that name; all its series begin at 0. It is one metric
 * for all servers of a process.
 */
export function countDrops(
  registry: Registry,
  server: 'webhook' | 'health',
  reasons: readonly DropReason[],
): (reason: DropReason) => void {
  const name = 'autoscrape_connections_dropped_total';
  const counter =
    registry.getSingleMetric(name) ??
    new Counter({
      name,
      help: 'Connections that were dropped, by server and reason (limit, handshake, timeout): to make room for a new one, or because they took too long.',
      labelNames: ['server', 'reason'],
      registers: [registry],
    });
  if (!(counter instanceof Counter)) throw new Error(`${name} is not a counter`);
  for (const reason of reasons) counter.inc({ server, reason }, 0);
  return (reason) => counter.inc({ server, reason });
}
