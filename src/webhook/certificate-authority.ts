import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity as CertificateValidity,
  Version,
} from '@peculiar/asn1-x509';
import type { KeyObject } from 'node:crypto';

// Node signs and reads X.509 certificates, but doesn't make them. `@peculiar/asn1-x509` holds RFC 5280's structures and encodes
// them; docs/architecture.md says why this library.

/** A certificate and its key, in PEM. */
export interface Pem {
  readonly certificate: string;
  readonly key: string;
}

/** When a certificate is valid; by default from an hour ago, for a day. */
export interface Validity {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** What a certificate that an authority issues says. */
export interface Leaf extends Validity {
  /** DNS names and IP addresses that it is valid for. */
  readonly names: readonly string[];
  /** Who proves itself with it; by default a server. */
  readonly usage?: 'server' | 'client' | undefined;
}

/** A certificate authority. */
export interface Authority {
  /** Its own certificate, in PEM: what a `caBundle` holds. */
  readonly certificate: string;
  /** Its private key, in PEM. */
  readonly key: string;
  /** Returns a new key and a certificate for it. */
  readonly issue: (leaf: Leaf) => Pem;
}

/** What an authority is made from; by default it is one that nobody should trust for longer than a test or a demo. */
export interface AuthorityOptions extends Validity {
  /** What certificates call it. */
  readonly name?: string;
  /**
   * The private key, in PEM, of an earlier authority of this name: what that has issued is then trusted with the new
   * certificate too, and the other way round. By default a new one.
   */
  readonly key?: string | undefined;
}

const HOUR = 3_600_000;
/** RFC 5758 §3.2. */
const ECDSA_WITH_SHA256 = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });
/** RFC 5280 appendix A.1. */
const COMMON_NAME = '2.5.4.3';

/** Returns a new authority, with an ECDSA P-256 key unless a key is given. */
export function createAuthority({
  name = 'autoscrape throwaway CA',
  key,
  ...validity
}: AuthorityOptions = {}): Authority {
  const privateKey = key === undefined ? newKey() : createPrivateKey(key);
  const subject = distinguishedName(name);
  const certificate = certify({
    subject,
    publicKey: createPublicKey(privateKey),
    issuer: { name: subject, privateKey },
    ...during(validity),
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), { critical: true }),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), { critical: true }),
    ],
  });
  return authority(certificate, privateKey, subject);
}

/** Returns the authority that has this certificate and key. Throws where one of them can't be read. */
export function openAuthority({ certificate, key }: Pem): Authority {
  const { raw } = new X509Certificate(certificate);
  const { subject } = AsnConvert.parse(raw, Certificate).tbsCertificate;
  return authority(certificate, createPrivateKey(key), subject);
}

function authority(certificate: string, privateKey: KeyObject, name: Name): Authority {
  return {
    certificate,
    key: pem(privateKey),
    issue({ names, usage = 'server', ...validity }) {
      const key = newKey();
      return {
        key: pem(key),
        certificate: certify({
          subject: distinguishedName('autoscrape'),
          publicKey: createPublicKey(key),
          issuer: { name, privateKey },
          ...during(validity),
          extensions: [
            extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), { critical: true }),
            extension(
              id_ce_extKeyUsage,
              new ExtendedKeyUsage([usage === 'server' ? id_kp_serverAuth : id_kp_clientAuth]),
            ),
            extension(id_ce_subjectAltName, new SubjectAlternativeName(names.map(generalName))),
          ],
        }),
      };
    },
  };
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function during({ notBefore, notAfter }: Validity): Required<Validity> {
  return {
    notBefore: notBefore ?? new Date(Date.now() - HOUR),
    notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR),
  };
}

interface CertificateOptions extends Required<Validity> {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly name: Name; readonly privateKey: KeyObject };
  readonly extensions: readonly Extension[];
}

/** Returns an X.509 v3 certificate in PEM (RFC 5280 §4.1). */
function certify(options: CertificateOptions): string {
  const { subject, publicKey, issuer, notBefore, notAfter, extensions } = options;
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    // Positive, and long enough that no two are the same.
    serialNumber: Uint8Array.of(1, ...randomBytes(15)).buffer,
    signature: ECDSA_WITH_SHA256,
    issuer: issuer.name,
    validity: new CertificateValidity({ notBefore, notAfter }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(spki(publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions([
      ...extensions,
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyId(publicKey))),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({
          keyIdentifier: new SubjectKeyIdentifier(keyId(createPublicKey(issuer.privateKey))),
        }),
      ),
    ]),
  });
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: ECDSA_WITH_SHA256,
    signatureValue: Uint8Array.from(sign('sha256', encode(tbsCertificate), issuer.privateKey)).buffer,
  });
  // No blank line where the last one is full: OpenSSL takes that for the end of the block.
  const lines = encode(certificate)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
}

function encode(value: unknown): Buffer {
  return Buffer.from(AsnConvert.serialize(value));
}

function distinguishedName(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

function extension(id: string, value: unknown, { critical = false } = {}): Extension {
  return new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function generalName(name: string): GeneralName {
  switch (isIP(name)) {
    case 0:
      return new GeneralName({ dNSName: name });
    case 4:
      return new GeneralName({ iPAddress: name });
    default:
      // Without a zone, which is no part of a certificate, and without an IPv4 address at its end, which the library reads as
      // one group.
      return new GeneralName({ iPAddress: new URL(`http://[${name.replace(/%.*/, '')}]`).hostname.slice(1, -1) });
  }
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** Returns RFC 5280 §4.2.1.2 (1): SHA-1 of the key's bits; a P-256 point is the last 65 bytes. It protects nothing. */
function keyId(key: KeyObject): ArrayBuffer {
  return Uint8Array.from(createHash('sha1').update(spki(key).subarray(-65)).digest()).buffer;
}
