import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import test from 'node:test';
import { createAuthority } from '../scripts/throwaway-certificate.ts';

test('a throwaway certificate can be read and verified, however long it is', () => {
  const authority = createAuthority();
  const ca = new X509Certificate(authority.certificate);
  // A letter more is a byte more: lengths of every kind are passed, and every fill of the last line.
  for (let letters = 1; letters <= 63; letters++) {
    const name = `${'a'.repeat(letters)}.svc`;
    const { certificate, key } = authority.issue({ names: [name] });
    const leaf = new X509Certificate(certificate);
    assert.ok(leaf.verify(ca.publicKey), name);
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key)), name);
    assert.equal(leaf.checkHost(name), name);
  }
});
