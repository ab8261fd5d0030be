import { isAskablePath } from './ask-path.ts';

/** A port of a pod, by address: never by a name, because nothing is looked up. */
export interface Place {
  /** An IPv4 or IPv6 address without brackets. */
  readonly address: string;
  readonly port: number;
}

/** Returns `address:port` as it stands in a URL and in the Host header, which names the port even where it is 80. */
export function authorityOf({ address, port }: Place): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * Returns the path that a redirect leads to, or undefined where it leads to another scheme, host or port, carries credentials, a query
 * or a fragment, or names a path that must not be annotated. Wherever it leads, only this place is ever asked.
 */
export function redirectedPath(location: string, place: Place, path: string): string | undefined {
  if (location.length > MAX_LOCATION || /[?#]/.test(location)) return undefined;
  const here = URL.parse(`http://${authorityOf(place)}${path}`);
  const there = here && URL.parse(location, here.href);
  if (!there || there.origin !== here.origin || there.username !== '' || there.password !== '') return undefined;
  return isAskablePath(there.pathname) && there.pathname !== path ? there.pathname : undefined;
}

/** In characters: a path of 255 with the longest origin, and more. */
const MAX_LOCATION = 1024;
