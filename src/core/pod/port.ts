/**
 * Ports that Istio reserves: its injector rejects a pod whose annotation names one
 * (pkg/kube/inject/webhook.go).
 */
export const ISTIO_PORTS: ReadonlySet<number> = new Set([
  15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090,
]);

/** The port and path that Istio's injector writes when it merges a pod's metrics with its own. */
export const ISTIO_MERGED_PORT = '15020';

/** Returns whether the number is a TCP port that an annotation may name. */
export function isScrapable(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535 && !ISTIO_PORTS.has(port);
}

/**
 * Returns the port of a decimal string without sign or leading zero, or undefined: every scraper
 * reads exactly these.
 */
export function readPortNumber(text: string): number | undefined {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}

/** Where a process listens, read from a flag or a variable. */
export type Address =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'off' }
  | { readonly kind: 'loopback' }
  | { readonly kind: 'unknown' };

/** Traefik writes the protocol behind the port, Caddy before the host (doc.traefik.io, "EntryPoints"; caddyserver.com, "Conventions"). */
const ADDRESS =
  /^(?:[a-z][a-z0-9+.-]*:\/\/|tcp\/)?(?<host>\[[0-9A-Fa-f:.]*\]|[^:/\s[\]]*)?(?::(?<port>[0-9]{1,6}))?(?:\/|\/tcp)?$/i;

/**
 * Returns where `8080`, `:8080`, `0.0.0.0:8080`, `[::]:8080`, `:8080/tcp` or `http://*:8080` listens: a port
 * that can be scraped; `loopback` for an address that only the pod itself reaches; `off` for port 0
 * and for the empty string (controller-runtime and others switch metrics off this way); otherwise
 * `unknown`.
 */
export function readAddress(text: string): Address {
  const value = text.trim();
  if (value === '' || /^:?0$/.test(value)) return { kind: 'off' };
  const bare = readPortNumber(value);
  const groups = bare === undefined ? ADDRESS.exec(value)?.groups : { host: '', port: value };
  const host = groups?.['host'] ?? '';
  if (groups?.['port'] === undefined) return { kind: 'unknown' };
  if (isLoopback(host)) return { kind: 'loopback' };
  const port = Number(groups['port']);
  if (port === 0) return { kind: 'off' };
  return isScrapable(port) ? { kind: 'port', port } : { kind: 'unknown' };
}

/** Returns whether the host, without a port, is one that only the pod itself reaches. */
export function isLoopback(host: string): boolean {
  return /^(?:127\.[0-9.]+|localhost|\[?::1\]?)$/i.test(host);
}

/** The end of a host that {@link isLoopback} accepts, as it stands before `:8080`. */
const LOOPBACK_BEFORE = /(?:^|[^\w./-])(?:127\.[0-9.]{1,12}|localhost|\[?::1\]?)$/i;

/** Returns whether the port stands behind such a host in the text: `--metrics-addr=127.0.0.1:8080`. */
export function isAtLoopback(text: string, port: number): boolean {
  const behind = `:${port}`;
  for (let at = text.indexOf(behind); at >= 0; at = text.indexOf(behind, at + 1)) {
    if (LOOPBACK_BEFORE.test(text.slice(Math.max(at - 24, 0), at))) return true;
  }
  return false;
}

/**
 * Returns whether the port is that of a URL on loopback, such as `http://localhost:9090`: a program
 * that is asked, not the address at which this one listens.
 */
export function isUrlOfOther(text: string, port: number): boolean {
  return (
    text.includes('://') && ['localhost', '127.0.0.1', '[::1]'].some((host) => text.includes(`://${host}:${port}`))
  );
}
