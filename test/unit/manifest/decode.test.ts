import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decode } from '../../../src/manifest/decode.ts';

test('reads UTF-8 and UTF-16 in either byte order, without the byte order mark', () => {
  const text = 'kind: Pod # für alle\n';
  const little = Buffer.from(`\uFEFF${text}`, 'utf16le');
  for (const bytes of [Buffer.from(text), Buffer.from(`\uFEFF${text}`), little, Buffer.from(little).swap16()])
    assert.deepEqual(decode(bytes), { ok: true, value: text });
});

test('says what a file is that is no text', () => {
  const packed = decode(gzipSync('kind: Pod'));
  assert.ok(!packed.ok && packed.error.startsWith('compressed with gzip: unpack it first'));
  const program = decode(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0]));
  assert.ok(!program.ok && program.error.startsWith('a binary file'));
});
