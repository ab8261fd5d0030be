import { MAX_TEXT } from '../limits.ts';

/**
 * A directory, not the path of a URL, whatever the variable is called:
 * METRICS_PATH=/var/lib/metrics.
 */
const DIRECTORY = /^\/(data|dev|etc|home|mnt|opt|proc|root|run|srv|tmp|usr|var)(\/|$)/;

/** A path that no shell and no kubelet has to complete: no `$(PREFIX)`, no `;`. */
const PLAIN = /^\/[-\w.~%:@+=/]*$/;

/** Returns whether the text is a URL's path that an annotation can carry as it is. */
export function isPlainPath(text: string): boolean {
  return text.length <= MAX_TEXT && PLAIN.test(text) && !DIRECTORY.test(text);
}

/**
 * Returns the path below the base: `/shop` or `shop/` and `/metrics` give `/shop/metrics`. An empty
 * path gives the base with a leading slash.
 */
export function joinPath(base: string, path: string): string {
  let from = 0;
  let to = base.length;
  // Not by a pattern: one for slashes at the end takes quadratic time for slashes in the middle.
  while (base[from] === '/') from += 1;
  while (to > from && base[to - 1] === '/') to -= 1;
  return from === to ? path : `/${base.slice(from, to)}${path}`;
}
