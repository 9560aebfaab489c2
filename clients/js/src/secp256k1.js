// Recovery of the signer from an Ethereum signature (SEC 1, section 4.1.6; EIP-2). Everything here is public, so
// nothing needs to run in constant time.

import { hexOf, numberOf, word, concat } from "./hex.js";
import { keccak256 } from "./keccak.js";
import { Malformed } from "./malformed.js";

const P = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const GENERATOR = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
  1n,
];
/** The neutral element; points are projective, (X : Y : Z) standing for (X/Z, Y/Z). */
const INFINITY = [0n, 1n, 0n];
/** 3b for the curve y^2 = x^3 + b with b = 7. */
const B3 = 21n;

/**
 * The address whose key signed `digest`.
 * @param {Uint8Array} digest 32 bytes
 * @param {Uint8Array} signature 65 bytes r || s || v, v strictly 27 or 28, s in the lower half
 * @returns {string} lower-case hex
 * @throws {Malformed} if no key can have made the signature
 */
export function recoverAddress(digest, signature) {
  const v = signature[64];
  if (signature.length !== 65 || (v !== 27 && v !== 28)) {
    throw new Malformed("signature is not 65 bytes with v 27 or 28");
  }
  const r = numberOf(signature.subarray(0, 32));
  const s = numberOf(signature.subarray(32, 64));
  if (r === 0n || r >= ORDER || s === 0n || s > ORDER / 2n) throw new Malformed("invalid transaction v, r, s values");
  const key = recoverKey(numberOf(digest), r, s, BigInt(v - 27));
  return hexOf(keccak256(concat(word(key[0]), word(key[1]))).subarray(12));
}

/** Q = (s R - z G) / r, in affine coordinates. */
function recoverKey(z, r, s, yParity) {
  const ySquared = mod(r ** 3n + 7n, P);
  const root = power(ySquared, (P + 1n) / 4n, P);
  if ((root * root) % P !== ySquared) throw new Malformed("recovery failed");
  const y = (root & 1n) === yParity ? root : P - root;
  const rInverse = power(r, ORDER - 2n, ORDER);
  const fromPoint = multiply([r, y, 1n], (s * rInverse) % ORDER);
  const fromDigest = multiply(GENERATOR, mod(-z * rInverse, ORDER));
  const [X, Y, Z] = add(fromPoint, fromDigest);
  if (Z === 0n) throw new Malformed("recovery failed");
  const zInverse = power(Z, P - 2n, P);
  return [(X * zInverse) % P, (Y * zInverse) % P];
}

function multiply(point, scalar) {
  let sum = INFINITY;
  for (const bit of scalar.toString(2)) {
    sum = add(sum, sum);
    if (bit === "1") sum = add(sum, point);
  }
  return sum;
}

/** The complete addition formula for a = 0 (Renes, Costello, Batina 2015, algorithm 7): right for every pair. */
function add([X1, Y1, Z1], [X2, Y2, Z2]) {
  const xx = X1 * X2;
  const yy = Y1 * Y2;
  const zz = B3 * Z1 * Z2;
  const xy = X1 * Y2 + X2 * Y1;
  const yz = Y1 * Z2 + Y2 * Z1;
  const xz = B3 * (X1 * Z2 + X2 * Z1);
  const sum = yy + zz;
  const difference = yy - zz;
  return [
    mod(xy * difference - yz * xz, P),
    mod(sum * difference + 3n * xx * xz, P),
    mod(yz * sum + 3n * xx * xy, P),
  ];
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === "1") result = (result * base) % modulus;
  }
  return result;
}

function mod(value, modulus) {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}
