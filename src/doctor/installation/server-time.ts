import type { Kube } from '../../kube/client.ts';
import { readPage } from './read-page.ts';

/** In bytes: a version has some 300. */
const MAX_VERSION = 64 * 1024;

/**
 * Returns the API server's time, Unix time in ms by its answer's Date; undefined where it does not say. The clock of the
 * computer on which this runs may be minutes off, as after a sleep.
 */
export async function serverTime(kube: Pick<Kube, 'open'>): Promise<number | undefined> {
  let date = '';
  await readPage(async () => {
    const request = await kube.open('/version', { accept: 'application/json' });
    request.on('response', ({ headers }) => (date = headers.date ?? ''));
    return request;
  }, MAX_VERSION);
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}
