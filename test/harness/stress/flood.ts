import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isObject } from '../../../src/core/json.ts';

// `node test/harness/stress/flood.ts JSON`: holds connections of every kind that bring nothing, from one address, and opens each again
// that was closed, until SIGTERM. Then it prints how many it opened.

/** What is flooded, and how. */
export interface Flood {
  /** The address that connections come from. */
  readonly from: string;
  readonly host: string;
  readonly port: number;
  readonly healthPort: number;
  /** How many connections are held at each of the two ports. */
  readonly count: number;
  /** How many are opened in a second at most, at each of the two ports. */
  readonly perSecond: number;
}

/** A connection, and what it writes every second. */
type Opened = readonly [socket: Socket, drip: string | undefined];

const POST = 'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const CLIENT_HELLO = '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003';

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
    let due = 0;
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      due = Math.min(due + ((now - last) / 1000) * perSecond, perSecond / 4);
      last = now;
      for (; due >= 1 && open.size < count; due--) {
        const connection = kinds[turn++ % kinds.length]?.();
        if (connection === undefined) return;
        opened++;
        open.add(connection);
        const [socket] = connection;
        socket.on('error', () => {}).resume();
        socket.on('close', () => open.delete(connection));
      }
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
