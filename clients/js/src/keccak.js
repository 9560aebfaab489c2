// Keccak-256 (the Keccak submission with padding 0x01, as Ethereum uses it; not SHA3-256), on 64-bit lanes.
// Plain rather than fast: a promise takes a few dozen hashes of at most 500 bytes.

const RATE_BYTES = 136;
const ROUNDS = 24;
const LANE = (1n << 64n) - 1n;

/** Constants of the step iota: bit 2^j - 1 of round i is output 7i + j of the LFSR x^8 + x^6 + x^5 + x^4 + 1. */
const IOTA = iotaConstants();
/** The walk of rho and pi over the lanes 1..24: [lane, rotation]. */
const WALK = rhoPiWalk();

/**
 * The 32-byte Keccak-256 digest.
 * @param {Uint8Array} bytes
 * @returns {Uint8Array}
 */
export function keccak256(bytes) {
  const padded = new Uint8Array((Math.floor(bytes.length / RATE_BYTES) + 1) * RATE_BYTES);
  padded.set(bytes);
  padded[bytes.length] |= 0x01;
  padded[padded.length - 1] |= 0x80;
  const input = new DataView(padded.buffer);
  const state = new Array(25).fill(0n);
  for (let block = 0; block < padded.length; block += RATE_BYTES) {
    for (let lane = 0; lane < RATE_BYTES / 8; lane++) state[lane] ^= input.getBigUint64(block + 8 * lane, true);
    permute(state);
  }
  const digest = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane++) digest.setBigUint64(8 * lane, state[lane], true);
  return new Uint8Array(digest.buffer);
}

/** Keccak-f[1600]; lane (x, y) is state[x + 5y]. */
function permute(state) {
  for (let round = 0; round < ROUNDS; round++) {
    const parity = [0, 1, 2, 3, 4].map((x) => state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]);
    for (let lane = 0; lane < 25; lane++) {
      const x = lane % 5;
      state[lane] ^= parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1n);
    }
    let carried = state[1];
    for (const [lane, rotation] of WALK) [carried, state[lane]] = [state[lane], rotate(carried, rotation)];
    for (let row = 0; row < 25; row += 5) {
      const [a, b, c, d, e] = state.slice(row, row + 5);
      state[row] = a ^ (~b & c);
      state[row + 1] = b ^ (~c & d);
      state[row + 2] = c ^ (~d & e);
      state[row + 3] = d ^ (~e & a);
      state[row + 4] = e ^ (~a & b);
    }
    state[0] ^= IOTA[round];
    for (let lane = 0; lane < 25; lane++) state[lane] &= LANE;
  }
}

function rotate(lane, by) {
  return ((lane << by) | (lane >> (64n - by))) & LANE;
}

function iotaConstants() {
  let register = 1;
  return Array.from({ length: ROUNDS }, () => {
    let constant = 0n;
    for (let j = 0n; j < 7n; j++) {
      if (register & 1) constant |= 1n << ((1n << j) - 1n);
      register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
    }
    return constant;
  });
}

function rhoPiWalk() {
  const walk = [];
  let [x, y] = [1, 0];
  for (let t = 1; t <= 24; t++) {
    [x, y] = [y, (2 * x + 3 * y) % 5];
    walk.push([x + 5 * y, BigInt(((t * (t + 1)) / 2) % 64)]);
  }
  return walk;
}
