// Verifies the signature of pre-confirmations with viem, from the node's JSON as it is.
// stdin: [pre-confirmation, ...]    stdout: [true | false, ...]
import { readFileSync } from "node:fs";
import { verifyTypedData } from "viem/utils";
import { TYPES } from "../../clients/js/src/index.js";

async function holds({ domain, flashblock, signer, signature }) {
  try {
    return await verifyTypedData({
      address: signer,
      domain,
      types: TYPES,
      primaryType: "Flashblock",
      message: flashblock,
      signature,
    });
  } catch {
    return false; // viem throws for signatures that no key can have made
  }
}

const documents = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await Promise.all(documents.map(holds))));
