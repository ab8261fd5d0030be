import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import type { Pair } from './certificate.ts';

// Node signs certificates and doesn't make them. This is the one form that `serve --self-signed` needs, in DER (X.690):
// RFC 5280's fields with a P-256 key. A library for it would be shipped to everybody for what is tried by hand.

const DAY_MS = 24 * 3_600_000;

/** How long it is valid, in milliseconds: long enough to try something, and too short to be left running. */
const VALID_MS = 7 * DAY_MS;

/** Returns a new key and a certificate for it that is valid for these names and addresses for a week from `now`, in milliseconds. */
export function selfSignedPair(names: readonly string[], now: number): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  // Whole seconds, as in the certificate. A day earlier, for a client whose clock is behind.
  const notBefore = Math.floor((now - DAY_MS) / 1000) * 1000;
  const notAfter = Math.floor((now + VALID_MS) / 1000) * 1000;
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from('autoscrape, self-signed')))));
  const serial = randomBytes(16);
  // Neither negative nor with a zero that DER leaves out.
  serial[0] = 0x40;
  const extension = (id: Buffer, value: Buffer): Buffer => sequence(id, der(0x04, value));
  const content = sequence(
    der(0xa0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, serial),
    sequence(ECDSA_WITH_SHA256),
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        extension(SUBJECT_ALT_NAME, sequence(...names.map(generalName))),
        extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTH)),
      ),
    ),
  );
  const signature = sign('sha256', content, privateKey);
  const certificate = sequence(content, sequence(ECDSA_WITH_SHA256), der(0x03, Buffer.of(0), signature));
  const lines = certificate.toString('base64').replaceAll(/.{1,64}/g, '$&\n');
  return {
    certificate: Buffer.from(`-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`),
    key: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    notBefore,
    notAfter,
  };
}

// Object identifiers, encoded.
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex'); // 1.2.840.10045.4.3.2
const COMMON_NAME = Buffer.from('0603550403', 'hex'); // 2.5.4.3
const SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex'); // 2.5.29.17
const EXTENDED_KEY_USAGE = Buffer.from('0603551d25', 'hex'); // 2.5.29.37
const SERVER_AUTH = Buffer.from('06082b06010505070301', 'hex'); // 1.3.6.1.5.5.7.3.1

/** Returns one DER value: tag, length, content of less than 64 KiB. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** UTCTime, which RFC 5280 wants until 2049. */
function time(ms: number): Buffer {
  return der(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replaceAll(/\D/g, '')}Z`));
}

function generalName(name: string): Buffer {
  return isIP(name) === 0 ? der(0x82, Buffer.from(name)) : der(0x87, addressBytes(name));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // A URL has it in its shortest form, all in hexadecimal, with at most one "::". A zone is no part of a certificate.
  const [head = '', tail = ''] = new URL(`http://[${address.replace(/%.*/, '')}]`).hostname.slice(1, -1).split('::');
  const [first = [], last = []] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return Buffer.from([...first, ...zeros, ...last].map((group) => group.padStart(4, '0')).join(''), 'hex');
}
