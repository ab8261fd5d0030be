import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { Target } from '../../harness/autoscrape/client.ts';

/** An open TLS connection to the webhook. */
export function open(target: Target): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: target.port, ca: target.ca, servername: 'localhost' });
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(socket));
  });
}

/**
 * All that the webhook answers to a string until it closes the connection, or has said nothing more for 150 ms. With
 * `hangUp` the connection is cut as soon as the text is out.
 */
export async function exchange(target: Target, text: string, { hangUp = false } = {}): Promise<string> {
  const socket = await open(target);
  return new Promise((resolve) => {
    let answer = '';
    const silent = setTimeout(() => socket.destroy(), 5000);
    socket.on('data', (data: Buffer) => {
      answer += data.toString();
      setTimeout(() => socket.destroy(), 150);
    });
    socket.on('error', () => {}); // a reset: what was answered before is there
    socket.on('close', () => {
      clearTimeout(silent);
      resolve(answer);
    });
    socket.write(text, () => {
      if (hangUp) socket.destroy();
    });
  });
}
