import type { ClientRequest } from 'node:http';

/** In ms. */
const TIMEOUT_MS = 10_000;

/** Returns the page that a GET gets with status 200, or undefined where it gets none in time, or one of more bytes. Never rejects. */
export async function readPage(open: () => Promise<ClientRequest>, maxBytes: number): Promise<string | undefined> {
  let request: ClientRequest | undefined;
  const timer = setTimeout(() => request?.destroy(new Error('no answer in time')), TIMEOUT_MS);
  try {
    const opened = await open();
    request = opened;
    return await new Promise((resolve, reject) => {
      opened.on('error', reject);
      // A server that switches protocols ends the request with neither answer nor error.
      opened.on('close', () => reject(new Error('the connection was closed')));
      opened.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBytes) opened.destroy(new Error('the page is too large'));
          else chunks.push(chunk);
        });
        response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString() : undefined));
      });
      opened.end();
    });
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
