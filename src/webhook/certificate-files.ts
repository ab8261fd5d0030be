import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { KeyObject } from 'node:crypto';
import type { Result } from '../core/result.ts';

/** The names of the files, as cert-manager and `kubectl create secret tls` write them. */
export const PAIR_FILES = ['tls.crt', 'tls.key'] as const;

/** A certificate chain and its private key, both PEM, which are known to match. */
export interface Pair {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** The leaf's period of validity, in milliseconds of Unix time. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Returns a loader of certificate pairs for reloadOnChange. Its errors name the files in `folder`. */
export function pairLoader(
  folder: string,
): (contents: readonly Buffer[], previous: Pair | undefined) => Result<Pair, string> {
  const [certificateFile, keyFile] = PAIR_FILES.map((name) => join(folder, name));
  return ([certificate = Buffer.alloc(0), key = Buffer.alloc(0)], previous) => {
    let leaf: X509Certificate;
    try {
      leaf = new X509Certificate(certificate); // the first of the chain
    } catch {
      return {
        ok: false,
        error: `${certificateFile} holds no certificate: it must begin with -----BEGIN CERTIFICATE-----`,
      };
    }
    let privateKey: KeyObject;
    try {
      privateKey = createPrivateKey(key);
    } catch {
      return {
        ok: false,
        error: `${keyFile} holds no readable private key: it must be PEM without a passphrase`,
      };
    }
    if (!leaf.checkPrivateKey(privateKey)) {
      return {
        ok: false,
        error: `${keyFile} is not the key of ${certificateFile}: both must come from the same issuance`,
      };
    }
    try {
      createSecureContext({ cert: certificate, key }); // also reads the chain after the leaf
    } catch {
      return {
        ok: false,
        error: `${certificateFile} holds an invalid chain: one of its certificates is damaged`,
      };
    }
    const pair = { certificate, key, notBefore: leaf.validFromDate.getTime(), notAfter: leaf.validToDate.getTime() };
    // An expired pair is accepted at start, where there is no better one; /readyz reports it. It never
    // replaces an earlier pair, which may still be valid.
    const expired = previous === undefined ? undefined : expiry(pair, Date.now());
    return expired === undefined ? { ok: true, value: pair } : { ok: false, error: `${certificateFile}: ${expired}` };
  };
}

/** Returns the certificates in a PEM text, without those that can't be read. */
export function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

/**
 * Returns a loader of a CA's certificates for reloadOnChange, in PEM. Its errors name the file. One that can't be read is an error:
 * OpenSSL ends silently at the first such, so that the webhook would refuse every client of it and of those that follow.
 */
export function clientCaLoader(file: string): (contents: readonly Buffer[]) => Result<string, string> {
  return ([content = Buffer.alloc(0)]) => {
    const pem = content.toString();
    const begun = pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
    if (begun === 0)
      return { ok: false, error: `${file} holds no certificate: it must begin with -----BEGIN CERTIFICATE-----` };
    return certificatesIn(pem).length === begun
      ? { ok: true, value: pem }
      : { ok: false, error: `${file} holds a certificate that is damaged` };
  };
}

/**
 * Returns why the API server would refuse the certificate at this Unix time in milliseconds, or
 * undefined. Each readiness probe calls it with the wall clock: a timer overflows after 24.8 days, and
 * stops while the machine is suspended.
 */
export function expiry(pair: Pair, now: number): string | undefined {
  if (now >= pair.notAfter) return `the certificate expired at ${new Date(pair.notAfter).toISOString()}`;
  if (now < pair.notBefore) return `the certificate is not valid before ${new Date(pair.notBefore).toISOString()}`;
  return undefined;
}
