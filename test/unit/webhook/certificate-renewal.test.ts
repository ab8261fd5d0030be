import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { certificatesIn } from '../../../src/webhook/certificate-files.ts';
import { renew } from '../../../src/webhook/certificate-renewal.ts';
import type { Issued, Stored } from '../../../src/webhook/certificate-renewal.ts';

const NAMES = ['autoscrape-webhook.autoscrape.svc', 'autoscrape-webhook.autoscrape.svc.cluster.local'];
const YEAR = 365 * 24 * 3_600_000;
const START = Date.UTC(2026, 10, 28);
const NOTHING: Stored = { ca: undefined, pair: undefined, caBundle: '' };

const yearsLeft = (pem: string, now = START) => (new X509Certificate(pem).validToDate.getTime() - now) / YEAR;

/** Whether who trusts these CAs accepts the certificate at that time. */
function trusts(caBundle: string, { pair }: Issued, now: number): boolean {
  const leaf = new X509Certificate(pair.certificate);
  return (
    leaf.validToDate.getTime() > now &&
    certificatesIn(caBundle).some(
      (ca) => leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && ca.validToDate.getTime() > now,
    )
  );
}

suite('the certificate of mode job', () => {
  test('is made with a CA: the CA for 20 years, the certificate for 10 and for its names', () => {
    const issued = renew(NOTHING, NAMES, START);
    assert.equal(yearsLeft(issued.ca.certificate), 20);
    assert.equal(yearsLeft(issued.pair.certificate), 10);
    assert.equal(issued.caBundle, issued.ca.certificate);
    assert.deepEqual(issued.renewed, ['ca', 'certificate']);
    for (const name of NAMES) assert.equal(new X509Certificate(issued.pair.certificate).checkHost(name), name);
    assert.ok(trusts(issued.caBundle, issued, START));
  });

  test('stays as it is while more than a third of its time is left, and is then renewed under the same CA', () => {
    const first = renew(NOTHING, NAMES, START);
    for (const years of [0, 1, 6.6]) {
      assert.deepEqual(renew(first, NAMES, START + years * YEAR), { ...first, renewed: [] }, String(years));
    }
    const renewed = renew(first, NAMES, START + 6.7 * YEAR);
    assert.deepEqual(renewed.renewed, ['certificate']);
    assert.deepEqual(renewed.ca, first.ca);
    assert.equal(renewed.caBundle, first.caBundle);
    assert.notEqual(renewed.pair.key, first.pair.key);
  });

  test('is renewed where the name of the Service has changed', () => {
    const first = renew(NOTHING, NAMES, START);
    assert.deepEqual(renew(first, ['other.ops.svc'], START).renewed, ['certificate']);
    assert.deepEqual(renew(first, NAMES.slice(0, 1), START).renewed, []);
  });

  test('a renewed CA keeps its key, and the API server is given the old one with it while that is valid', () => {
    const first = renew(NOTHING, NAMES, START);
    const now = START + 14 * YEAR;
    const second = renew(first, NAMES, now);
    assert.deepEqual(second.renewed, ['ca', 'certificate']);
    assert.equal(second.ca.key, first.ca.key);
    assert.deepEqual(
      certificatesIn(second.caBundle).map(String),
      [second.ca.certificate, first.ca.certificate].map((pem) => String(new X509Certificate(pem))),
    );
    assert.equal(certificatesIn(renew(second, NAMES, START + 21 * YEAR).caBundle).length, 1);
  });

  test('is at every upgrade trusted by who knows the CA of the one before, and has years left', () => {
    const gaps = fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(gaps, (years) => {
        let [now, stored] = [START, renew(NOTHING, NAMES, START)];
        for (const gap of years) {
          now += gap * YEAR;
          assert.ok(trusts(stored.caBundle, stored, now), 'until the next upgrade');
          const next = renew(stored, NAMES, now);
          assert.ok(trusts(stored.caBundle, next, now), 'the new certificate, by the old CA');
          assert.ok(trusts(next.caBundle, stored, now), 'the old certificate, by the new CA');
          assert.ok(yearsLeft(next.pair.certificate, now) > 3.3);
          assert.ok(yearsLeft(next.ca.certificate, now) >= yearsLeft(next.pair.certificate, now));
          stored = next;
        }
      }),
      { numRuns: 30 },
    );
  });

  test('takes the place of what is damaged, expired, or no CA', () => {
    const good = renew(NOTHING, NAMES, START);
    const other = createAuthority();
    const expired = createAuthority({ notAfter: new Date(START - 1), notBefore: new Date(START - YEAR) });
    const damaged: readonly (readonly [Stored, Issued['renewed']])[] = [
      [{ ...good, ca: { certificate: 'x', key: good.ca.key } }, ['ca', 'certificate']],
      [{ ...good, ca: { certificate: good.ca.certificate, key: '' } }, ['ca', 'certificate']],
      [{ ...good, ca: { certificate: good.ca.certificate, key: other.key } }, ['ca', 'certificate']],
      [{ ...good, ca: good.pair }, ['ca', 'certificate']],
      [{ ...good, ca: expired }, ['ca', 'certificate']],
      [{ ...good, ca: undefined }, ['ca', 'certificate']],
      [{ ...good, pair: { certificate: good.pair.certificate.slice(0, 200), key: good.pair.key } }, ['certificate']],
      [{ ...good, pair: { certificate: good.pair.certificate, key: other.key } }, ['certificate']],
      [{ ...good, pair: other.issue({ names: NAMES, notAfter: new Date(START + 9 * YEAR) }) }, ['certificate']],
      [{ ...good, caBundle: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }, []],
    ];
    for (const [stored, renewed] of damaged) {
      const issued = renew(stored, NAMES, START);
      assert.deepEqual(issued.renewed, renewed);
      assert.ok(trusts(issued.caBundle, issued, START));
      assert.notEqual(issued.ca.key, good.pair.key);
    }
  });

  test('a CA of another key is not trusted any more: who deletes a stolen key is rid of it', () => {
    const first = renew(NOTHING, NAMES, START);
    const second = renew({ ...first, ca: undefined }, NAMES, START);
    assert.equal(second.caBundle, second.ca.certificate);
    assert.notEqual(second.ca.key, first.ca.key);
  });
});
