// Bytes, hex text and big-endian words.

/** @param {string} text `0x` and two hex digits a byte @returns {Uint8Array} */
export function bytesOf(text) {
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(text.slice(2 + 2 * at, 4 + 2 * at), 16);
  return bytes;
}

/** @param {Uint8Array} bytes @returns {string} */
export function hexOf(bytes) {
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {Uint8Array} bytes big-endian @returns {bigint} */
export function numberOf(bytes) {
  return bytes.length ? BigInt(hexOf(bytes)) : 0n;
}

/** An integer, or at most 32 bytes, as one ABI word. @param {bigint | Uint8Array} value @returns {Uint8Array} */
export function word(value) {
  if (typeof value === "bigint") return bytesOf(`0x${value.toString(16).padStart(64, "0")}`);
  const padded = new Uint8Array(32);
  padded.set(value, 32 - value.length);
  return padded;
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
