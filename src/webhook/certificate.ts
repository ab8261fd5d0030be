import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { KeyObject } from 'node:crypto';
import type { Loaded } from '../process/watch-files.ts';

/** The files' names, as cert-manager and `kubectl create secret tls` write them. */
export const PAIR_FILES = ['tls.crt', 'tls.key'] as const;

/** A certificate chain and its key, in PEM, that were seen to belong together. */
export interface Pair {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** When the leaf begins and ceases to be valid, in milliseconds of Unix time. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A loader of certificate pairs, for watchFiles, whose messages name the files of `folder`. */
export function pairLoader(folder: string): (contents: readonly Buffer[], previous: Pair | undefined) => Loaded<Pair> {
  const [certificateFile, keyFile] = PAIR_FILES.map((name) => join(folder, name));
  return ([certificate = Buffer.alloc(0), key = Buffer.alloc(0)], previous) => {
    let leaf: X509Certificate;
    try {
      leaf = new X509Certificate(certificate); // the first of the chain
    } catch {
      return {
        ok: false,
        problem: `${certificateFile} holds no certificate: it should begin with -----BEGIN CERTIFICATE-----`,
      };
    }
    let privateKey: KeyObject;
    try {
      privateKey = createPrivateKey(key);
    } catch {
      return {
        ok: false,
        problem: `${keyFile} holds no private key that can be read: it should be PEM without a passphrase`,
      };
    }
    if (!leaf.checkPrivateKey(privateKey)) {
      return {
        ok: false,
        problem: `${keyFile} is not the key of ${certificateFile}: the two must come from the same issuance`,
      };
    }
    try {
      createSecureContext({ cert: certificate, key }); // also reads the chain after the leaf
    } catch {
      return {
        ok: false,
        problem: `${certificateFile} holds a chain that can't be used: one of its certificates is damaged`,
      };
    }
    const pair = { certificate, key, notBefore: leaf.validFromDate.getTime(), notAfter: leaf.validToDate.getTime() };
    // At start there is nothing better, and readiness tells. Later the old one is: it may still be valid.
    const expired = previous === undefined ? undefined : expiry(pair, Date.now());
    return expired === undefined ? { ok: true, value: pair } : { ok: false, problem: `${certificateFile}: ${expired}` };
  };
}

/**
 * Why the API server would refuse the certificate now, or undefined. Asked with the wall clock at every readiness
 * probe: a timer set for the day would overflow after 24.8 days and sleeps while the machine is suspended.
 */
export function expiry(pair: Pair, now: number): string | undefined {
  if (now >= pair.notAfter) return `the certificate expired at ${new Date(pair.notAfter).toISOString()}`;
  if (now < pair.notBefore) return `the certificate is not valid before ${new Date(pair.notBefore).toISOString()}`;
  return undefined;
}
