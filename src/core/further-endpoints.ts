import * as warning from './warning.ts';
import type { Endpoint } from './rules/endpoint.ts';

/**
 * Why an endpoint is not scraped although a rule finds it: a stable key, with the end of a
 * sentence that begins with "because" or "but".
 */
export const WHY_LEFT = {
  one_endpoint: 'the annotations carry one endpoint',
  hint: 'the rule only hints at it',
} as const satisfies Record<string, string>;

/** A key of {@link WHY_LEFT}. */
export type WhyLeft = keyof typeof WHY_LEFT;

/** An endpoint of a decision. */
export interface DecidedEndpoint extends Endpoint {
  /** Why no annotation says where it is; undefined for one that scrapers find. */
  readonly left?: WhyLeft;
}

/** Returns the warning about the endpoints that are left out, where somebody should know of them. */
export function leftOutWarnings(further: readonly DecidedEndpoint[]): string[] {
  const lost = further.filter(({ left }) => left === 'one_endpoint');
  return lost.length === 0 ? [] : [warning.notScraped(lost)];
}

/** Returns the endpoints besides the one that the plain keys carry, each with why it is left out. */
export function furtherEndpoints(others: readonly Endpoint[], isHint: boolean): readonly DecidedEndpoint[] {
  return others.map((endpoint) => ({ ...endpoint, left: isHint ? 'hint' : 'one_endpoint' }));
}
