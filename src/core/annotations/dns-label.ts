/**
 * Returns whether this is a label of the DNS (RFC 1123), as the API server wants the names of containers and namespaces: before the
 * end of admission they may be anything.
 */
export function isDnsLabel(name: string): boolean {
  return /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(name);
}
