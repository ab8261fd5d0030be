import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isObject } from '../../../src/core/json.ts';

// `node test/harness/stress/flood.ts JSON`: opens many silent connections at once from one address, then holds connections of every kind that
// bring nothing, and opens each again that was closed, until SIGTERM. Then it prints how many it opened.

/** What is flooded, and how. */
export interface Flood {
  /** The address that connections come from. */
  readonly from: string;
  readonly host: string;
  readonly port: number;
  readonly healthPort: number;
  /** How many connections are held at each of the two ports. */
  readonly count: number;
  /** How many are opened again in a second at most, at each of the two ports, after the first `count`. */
  readonly perSecond: number;
}

/** A connection, and what it writes every second. */
type Opened = readonly [socket: Socket, drip: string | undefined];

const POST = 'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const CLIENT_HELLO = '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003';

/** Connections that are opened at the same time: 5,000 in half a second. */
const PIECE = 100;

/** One connection in so many is not merely silent, since a TLS handshake costs the server a millisecond of its CPU. */
const NOT_SILENT = 5;

function flood({ from, host, port, healthPort, count, perSecond }: Flood): void {
  const tcp = (port: number, text = '', drip?: string): Opened => {
    const socket = connect({ host, port, localAddress: from });
    if (text !== '') socket.write(text, 'latin1');
    return [socket, drip];
  };
  const tls = (text = '', drip?: string): Opened => {
    const socket = connectTls({ socket: tcp(port)[0], rejectUnauthorized: false });
    if (text !== '') socket.write(text);
    return [socket, drip];
  };
  const webhookKinds = [
    () => tcp(port),
    () => tcp(port, CLIENT_HELLO),
    () => tls(),
    () => tls(`${POST}X: `, 'x'),
    () => tls(`${POST}Content-Length: 1000\r\n\r\n`, ' '),
  ];
  const healthKinds = [
    () => tcp(healthPort),
    () => tcp(healthPort, 'GET /livez HTTP/1.1\r\nX: ', 'x'),
    () => tcp(healthPort, 'GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n', ' '),
  ];
  let opened = 0;
  for (const kinds of [webhookKinds, healthKinds]) {
    const open = new Set<Opened>();
    let turn = 0;
    let due = count;
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      due += ((now - last) / 1000) * perSecond;
      last = now;
      for (let piece = 0; due >= 1 && open.size < count && piece < PIECE; due--, piece++) {
        const other = turn >= count && turn % NOT_SILENT === 0 ? Math.floor(turn / NOT_SILENT) : 0;
        const connection = kinds[other % kinds.length]?.();
        turn++;
        if (connection === undefined) return;
        opened++;
        open.add(connection);
        const [socket] = connection;
        socket.on('error', () => {}).resume();
        socket.on('close', () => open.delete(connection));
      }
      if (open.size >= count) due = Math.min(due, perSecond / 4);
    }, 10);
    setInterval(() => {
      for (const [socket, drip] of open) if (drip !== undefined && socket.writable) socket.write(drip);
    }, 1000);
  }
  process.on('SIGTERM', () => process.stdout.write(`${opened}\n`, () => process.exit(0)));
}

const asked: unknown = JSON.parse(process.argv[2] ?? '');
if (!isObject(asked)) throw new Error('usage: node test/harness/stress/flood.ts JSON');
flood(asked as unknown as Flood);
