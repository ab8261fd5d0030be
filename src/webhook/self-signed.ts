import { createAuthority } from './certificate-authority.ts';
import type { Pair } from './certificate-files.ts';

const DAY_MS = 24 * 3_600_000;

/**
 * How long the certificate is valid, in milliseconds: long enough to try something, and too short
 * to be left running.
 */
const VALID_MS = 7 * DAY_MS;

/** A certificate to try the webhook by hand, and what a client needs to trust it. */
export interface SelfSigned {
  readonly pair: Pair;
  /** The certificate of the authority that signed it, in PEM. */
  readonly caBundle: string;
}

/**
 * Returns a new key and a certificate for it that is valid for these names and addresses for a week
 * from `now`, in milliseconds. Its authority is new, too, and its key is gone.
 */
export function selfSignedPair(names: readonly string[], now: number): SelfSigned {
  // Whole seconds, as in the certificate. A day earlier, for a client whose clock is behind.
  const notBefore = Math.floor((now - DAY_MS) / 1000) * 1000;
  const notAfter = Math.floor((now + VALID_MS) / 1000) * 1000;
  const validity = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
  const authority = createAuthority(validity);
  const { certificate, key } = authority.issue({ names, ...validity });
  return {
    pair: { certificate: Buffer.from(certificate), key: Buffer.from(key), notBefore, notAfter },
    caBundle: authority.certificate,
  };
}
