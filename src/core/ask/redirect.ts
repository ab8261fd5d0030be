import { isAskablePath } from './ask-path.ts';

/** A port of a pod by its address, never by a host name: nothing is resolved. */
export interface Place {
  /** An IPv4 or IPv6 address without brackets. */
  readonly address: string;
  readonly port: number;
}

/** Returns `address:port` for a URL and the Host header, with the port even where it is 80. */
export function authorityOf({ address, port }: Place): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * Returns the path of a redirect, or undefined where it has another scheme, host or port,
 * credentials, a query, a fragment, or a path that must not be annotated. Only this address is ever
 * asked.
 */
export function redirectedPath(location: string, place: Place, path: string): string | undefined {
  if (location.length > MAX_LOCATION || /[?#]/.test(location)) return undefined;
  const here = URL.parse(`http://${authorityOf(place)}${path}`);
  const there = here && URL.parse(location, here.href);
  if (!there || there.origin !== here.origin || there.username !== '' || there.password !== '') return undefined;
  return isAskablePath(there.pathname) && there.pathname !== path ? there.pathname : undefined;
}

/** In characters: enough for a path of 255 with the longest origin. */
const MAX_LOCATION = 1024;
