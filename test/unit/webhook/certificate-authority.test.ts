import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';

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

const hasOpenSsl = spawnSync('openssl', ['version']).status === 0;

test('OpenSSL accepts a throwaway certificate under its strict rules', { skip: !hasOpenSsl && 'no openssl' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'autoscrape-certificate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const authority = createAuthority();
  const { certificate } = authority.issue({ names: ['webhook.svc', '127.0.0.1', '::1', '2001:db8::7'] });
  writeFileSync(join(folder, 'ca.crt'), authority.certificate);
  writeFileSync(join(folder, 'tls.crt'), certificate);
  const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'ca.crt'];
  for (const name of [['-verify_hostname', 'webhook.svc'], ...['127.0.0.1', '::1'].map((ip) => ['-verify_ip', ip])]) {
    assert.equal(execFileSync('openssl', [...verify, ...name, 'tls.crt'], { cwd: folder }).toString(), 'tls.crt: OK\n');
  }
});
