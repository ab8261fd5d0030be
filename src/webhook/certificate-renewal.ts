import { createPrivateKey, X509Certificate } from 'node:crypto';
import { certificatesIn } from './certificate-files.ts';
import { createAuthority, openAuthority } from './certificate-authority.ts';
import type { Authority, Pem } from './certificate-authority.ts';

const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;

/** How long a new CA is valid, in milliseconds. */
const CA_VALID_MS = 20 * YEAR_MS;

/** How long a new certificate is valid, in milliseconds. */
const CERTIFICATE_VALID_MS = 10 * YEAR_MS;

/** What is stored, in PEM; anything may be missing or damaged. */
export interface Stored {
  readonly ca: Pem | undefined;
  readonly pair: Pem | undefined;
  /** The CA certificates that the API server trusts. */
  readonly caBundle: string;
}

/** What is to be stored, in PEM. */
export interface Issued {
  readonly ca: Pem;
  readonly pair: Pem;
  /** The certificate of the CA, and earlier ones of the same key that have not expired. */
  readonly caBundle: string;
  /** What is new; empty when everything is as it was stored. */
  readonly renewed: readonly ('ca' | 'certificate')[];
}

/**
 * Returns a CA and a certificate that it has issued for these names, at the time `now` in milliseconds. What is stored is kept
 * while more than a third of its time is left. A renewed CA keeps its key, so that every certificate is trusted by who knows
 * the old CA or the new one, whichever comes first. The key is new only where none is stored.
 */
export function renew(stored: Stored, names: readonly string[], now: number): Issued {
  const oldCa = readCertificate(stored.ca);
  const oldKey = oldCa?.ca === true ? stored.ca?.key : undefined;
  const isCaKept = oldCa !== undefined && oldKey !== undefined && !isDue(oldCa, now);
  const authority =
    isCaKept && stored.ca !== undefined
      ? openAuthority(stored.ca)
      : createAuthority({ name: 'autoscrape CA', key: oldKey, ...validFrom(now, CA_VALID_MS) });
  const ca = new X509Certificate(authority.certificate);
  const certificate = readCertificate(stored.pair);
  const isCertificateKept =
    certificate !== undefined &&
    !isDue(certificate, now) &&
    certificate.verify(ca.publicKey) &&
    names.every((name) => certificate.checkHost(name, { subject: 'never' }) !== undefined);
  return {
    ca: { certificate: authority.certificate, key: authority.key },
    pair: isCertificateKept && stored.pair !== undefined ? stored.pair : issue(authority, ca, names, now),
    caBundle: bundle(ca, [stored.caBundle, stored.ca?.certificate ?? ''], now),
    renewed: [...(isCaKept ? [] : ['ca' as const]), ...(isCertificateKept ? [] : ['certificate' as const])],
  };
}

/** Returns the certificate of a pair; undefined where it or its key can't be read, or they don't belong together. */
function readCertificate(pair: Pem | undefined): X509Certificate | undefined {
  const [certificate] = certificatesIn(pair?.certificate ?? '');
  if (certificate === undefined || pair === undefined) return undefined;
  try {
    return certificate.checkPrivateKey(createPrivateKey(pair.key)) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function isDue({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
  return now < from || now >= to - (to - from) / 3;
}

function issue(authority: Authority, ca: X509Certificate, names: readonly string[], now: number): Pem {
  const { notBefore, notAfter } = validFrom(now, CERTIFICATE_VALID_MS);
  // After the end of its CA nobody would trust it, and the alert looks at this date alone.
  return authority.issue({ names, notBefore, notAfter: ca.validToDate < notAfter ? ca.validToDate : notAfter });
}

/** A day earlier, for an API server whose clock is behind. */
function validFrom(now: number, validMs: number) {
  return { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + validMs) };
}

function bundle(ca: X509Certificate, earlier: readonly string[], now: number): string {
  const sameKey = earlier
    .flatMap(certificatesIn)
    .filter(({ publicKey, validToDate }) => publicKey.equals(ca.publicKey) && validToDate.getTime() > now);
  return [...new Set([ca, ...sameKey].map(String))].join('');
}
