// The JavaScript package's hash and curve on given inputs.
// stdin: {"messages": [hex], "signatures": [[digest, signature]]}
// stdout: {"digests": [hex], "signers": [address, or "!" and why there is none]}
import { readFileSync } from "node:fs";
import { bytesOf, hexOf } from "../../clients/js/src/hex.js";
import { keccak256 } from "../../clients/js/src/keccak.js";
import { Malformed } from "../../clients/js/src/malformed.js";
import { recoverAddress } from "../../clients/js/src/secp256k1.js";

function signer([digest, signature]) {
  try {
    return recoverAddress(bytesOf(digest), bytesOf(signature));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return `!${error.message}`;
  }
}

const { messages, signatures } = JSON.parse(readFileSync(0, "utf8"));
const digests = messages.map((message) => hexOf(keccak256(bytesOf(message))));
process.stdout.write(JSON.stringify({ digests, signers: signatures.map(signer) }));
