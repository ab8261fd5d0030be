import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import type { KeyObject } from 'node:crypto';

/** A certificate and its key, in PEM. */
export interface Pem {
  readonly certificate: string;
  readonly key: string;
}

/** What a server's certificate says. */
export interface Leaf {
  /** DNS names and IP addresses that it is valid for. */
  readonly names: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** A certificate authority that nobody should trust for longer than a test or a demo. */
export interface Authority {
  /** Its own certificate, in PEM: what a `caBundle` holds. */
  readonly certificate: string;
  /** A new key and a certificate for it. */
  readonly issue: (leaf: Leaf) => Pem;
}

const HOUR = 3_600_000;
const BOOLEAN_TRUE = Buffer.from([0x01, 0x01, 0xff]);
const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

/** A new authority with an ECDSA P-256 key, valid for a day. */
export function createAuthority(): Authority {
  const { publicKey, privateKey } = newKey();
  const certificate = certify({
    subject: 'autoscrape throwaway CA',
    publicKey,
    issuerKey: privateKey,
    issuerPublicKey: publicKey,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 24 * HOUR),
    extensions: [
      extension('551d13', true, sequence(BOOLEAN_TRUE)), // basicConstraints: a CA
      extension('551d0f', true, bits(Buffer.from([0b0000_0110]), 1)), // keyUsage: keyCertSign, cRLSign
    ],
  });
  return {
    certificate,
    issue({ names, notBefore = new Date(Date.now() - HOUR), notAfter = new Date(Date.now() + 24 * HOUR) }) {
      const leaf = newKey();
      return {
        key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        certificate: certify({
          subject: 'autoscrape throwaway server',
          publicKey: leaf.publicKey,
          issuerKey: privateKey,
          issuerPublicKey: publicKey,
          notBefore,
          notAfter,
          extensions: [
            extension('551d0f', true, bits(Buffer.from([0b1000_0000]), 7)), // keyUsage: digitalSignature
            extension('551d25', false, sequence(oid('2b06010505070301'))), // extKeyUsage: serverAuth
            extension('551d11', false, sequence(...names.map(alternativeName))),
          ],
        }),
      };
    },
  };
}

interface Certificate {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly issuerPublicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Buffer[];
}

/** An X.509 v3 certificate in PEM (RFC 5280 §4.1). */
function certify({
  subject,
  publicKey,
  issuerKey,
  issuerPublicKey,
  notBefore,
  notAfter,
  extensions,
}: Certificate): string {
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])), // serial number, positive
    ECDSA_WITH_SHA256,
    name('autoscrape throwaway CA'),
    sequence(time(notBefore), time(notAfter)),
    name(subject),
    spki(publicKey),
    der(
      0xa3,
      sequence(
        ...extensions,
        extension('551d0e', false, der(0x04, keyId(publicKey))), // subjectKeyIdentifier
        extension('551d23', false, sequence(der(0x80, keyId(issuerPublicKey)))), // authorityKeyIdentifier
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, issuerKey);
  // No blank line where the last one is full: OpenSSL takes that for the end of the block.
  const lines = sequence(toBeSigned, ECDSA_WITH_SHA256, bits(signature, 0))
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

/* DER: a tag, a length and a value (ITU-T X.690 §8.1). */

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  if (value.length < 0x80) return Buffer.concat([Buffer.from([tag, value.length]), value]);
  // The long form, as short as it can be: Go refuses a length in more bytes than it needs.
  if (value.length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, value.length]), value]);
  return Buffer.concat([Buffer.from([tag, 0x82, value.length >> 8, value.length & 0xff]), value]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function bits(value: Buffer, unused: number): Buffer {
  return der(0x03, Buffer.from([unused]), value);
}

/** UTCTime, as RFC 5280 §4.1.2.5 wants it until 2049. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[^0-9]/g, '');
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}

function name(common: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(common)))));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [BOOLEAN_TRUE] : []), der(0x04, value));
}

/** A GeneralName: dNSName or iPAddress. */
function alternativeName(text: string): Buffer {
  switch (isIP(text)) {
    case 4:
      return der(0x87, Buffer.from(text.split('.').map(Number)));
    case 6:
      if (text !== '::1') throw new Error('of IPv6 addresses only ::1 is known here');
      return der(0x87, Buffer.from([...Array.from({ length: 15 }, () => 0), 1]));
    default:
      return der(0x82, Buffer.from(text));
  }
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** RFC 5280 §4.2.1.2 (1): SHA-1 of the key's bits; a P-256 point is the last 65 bytes. It protects nothing. */
function keyId(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key).subarray(-65)).digest();
}
