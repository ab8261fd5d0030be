import type { Result } from '../core/result.ts';

/**
 * Returns the text in a file's bytes: UTF-8, or UTF-16 where it begins with that byte order mark, as Windows PowerShell's
 * `>` writes it. A sentence where they are no text.
 */
export function decode(bytes: Buffer): Result<string, string> {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return text(bytes, 'utf-16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return text(bytes, 'utf-16be');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    return failed('compressed with gzip: unpack it first; a packed chart is read with `helm template RELEASE FILE`');
  // Neither YAML nor JSON may contain it (YAML 1.2.2, 5.1).
  if (bytes.includes(0)) return failed('a binary file (it contains NUL bytes): give YAML or JSON');
  return text(bytes, 'utf-8');
}

function text(bytes: Buffer, encoding: string): Result<string, string> {
  return { ok: true, value: new TextDecoder(encoding).decode(bytes) };
}

function failed(error: string): Result<string, string> {
  return { ok: false, error };
}
