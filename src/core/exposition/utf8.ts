const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Returns the bytes as a string, or undefined where they are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  // Nearly all names and numbers are short and ASCII: for these, calling TextDecoder is slower.
  let text = '';
  if (end - start <= 64) {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte > 0x7f) return decodeAny(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return decodeAny(bytes.subarray(start, end));
}

/** Returns whether the bytes are valid UTF-8. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) > 0x7f) return decodeUtf8(bytes, start, end) !== undefined;
  return true;
}

function decodeAny(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
