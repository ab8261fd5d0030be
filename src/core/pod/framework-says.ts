import type { NoEndpoint } from '../skip-reason.ts';

/** What the settings of a framework say about its metrics. */
export type FrameworkSays =
  | {
      readonly kind: 'found';
      /** The port that they state; undefined where they state none. */
      readonly port: number | undefined;
      /** The port without a setting. */
      readonly defaultPort: number;
      readonly path: string;
      readonly scheme: 'http' | 'https';
      /** Whether they leave no doubt that there are metrics; the port may still be unknown. */
      readonly sure: boolean;
    }
  | { readonly kind: 'off'; readonly reason: NoEndpoint }
  /** They say nothing about metrics. */
  | undefined;

export const SWITCHED_OFF = { kind: 'off', reason: 'switched_off' } as const;
export const UNREACHABLE = { kind: 'off', reason: 'unreachable' } as const;
export const GUARDED = { kind: 'off', reason: 'guarded' } as const;
