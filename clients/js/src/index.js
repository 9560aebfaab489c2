// The package's public names.

export { parseChain } from "./chain.js";
export { TYPES, digest, structHash } from "./eip712.js";
export { Malformed } from "./malformed.js";
export { parse } from "./parse.js";
export { CHECKS, verify } from "./verify.js";
