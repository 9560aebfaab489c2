// The page: reads what is pasted, dropped or chosen, and shows the report of the verifier.

import { parseChain } from "../../../clients/js/src/chain.js";
import { hexOf } from "../../../clients/js/src/hex.js";
import { Malformed } from "../../../clients/js/src/malformed.js";
import { TEXT_LIMIT } from "../../../clients/js/src/parse.js";
import { verify } from "../../../clients/js/src/verify.js";

const MEANING = {
  signature: ["Signature", "Did the stated sequencer sign this flashblock for this chain?"],
  member: ["Membership", "May the signer sequence this chain?"],
  order: ["Order", "Does the signed flashblock put the transaction at this position?"],
  outcome: ["Outcome", "Does the signed flashblock give it the outcome with this hash?"],
  posted: ["Posted", "Does the batch that was published keep the promise?"],
};

const byId = (id) => document.getElementById(id);
const promiseField = byId("promise");
const chainField = byId("chain");

/** The chain that the user described, or undefined; what is wrong with the description is said beside the field. */
function describedChain() {
  const given = chainField.value.trim();
  let chain;
  let fault = "";
  try {
    chain = given ? parseChain(given) : undefined;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    fault = error.message;
  }
  byId("chain-fault").textContent = fault;
  chainField.setAttribute("aria-invalid", String(fault !== ""));
  return chain;
}

function show() {
  const given = promiseField.value.trim();
  const chain = describedChain();
  byId("result").hidden = given === "";
  if (given === "") return;
  const { valid, checks, preconfirmation } = verify(given, { chain });
  showVerdict(valid, checks, preconfirmation);
  byId("checks").replaceChildren(...checks.map(checkRow));
  byId("checks").hidden = byId("facts-part").hidden = preconfirmation === undefined;
  if (preconfirmation) byId("facts").replaceChildren(...facts(preconfirmation).flatMap(fact));
}

function showVerdict(valid, checks, preconfirmation) {
  const memberIsOpen = stateOf(checks.find(({ name }) => name === "member")) === "open";
  const failing = checks.filter(({ ok }) => !ok).map(({ name }) => MEANING[name][0].toLowerCase());
  let state = "holds";
  let verdict = "This promise holds";
  let summary = "A sequencer of the chain made it, and can be held to it.";
  if (!preconfirmation) {
    [state, verdict, summary] = ["fails", "This is not a pre-confirmation", checks[0].reason];
  } else if (!valid) {
    [state, verdict] = ["fails", "This promise does not hold"];
    summary = `Do not rely on it: ${failing.join(", ")} ${failing.length > 1 ? "fail" : "fails"}.`;
  } else if (memberIsOpen) {
    [state, verdict] = ["open", "Sound, but by whom?"];
    summary = "Everything in it fits together. Say above who may sequence this chain, to know whether the signer may.";
  }
  byId("facts-title").textContent = valid ? "What was promised" : "What it claims";
  byId("banner").dataset.state = state;
  byId("verdict-shape").setAttribute("href", `#shape-${state}`);
  byId("verdict").textContent = verdict;
  byId("summary").textContent = summary;
}

function checkRow(check) {
  const row = byId("check-row").content.cloneNode(true).firstElementChild;
  const state = stateOf(check);
  const [title, meaning] = MEANING[check.name];
  row.dataset.name = check.name;
  row.dataset.state = state;
  row.querySelector("use").setAttribute("href", `#shape-${state}`);
  row.querySelector("h3").textContent = title;
  row.querySelector(".meaning").textContent = meaning;
  row.querySelector(".reason").textContent = check.reason;
  row.querySelector(".state").textContent = state;
  return row;
}

function stateOf({ ok, reason }) {
  if (!ok) return "fails";
  return reason ? "open" : "holds";
}

/** Rows of [what, value, whether it is hex]. */
function facts({ domain, txHash, position, outcomeHash, flashblock, signer }) {
  return [
    ["Transaction", hexOf(txHash), true],
    ["Chain", `${domain.chainId}`],
    ["Place", `position ${position} of block ${flashblock.blockNumber}`],
    ["Outcome hash", hexOf(outcomeHash), true],
    ["Signed by", hexOf(signer), true],
    ["Promised", moment(flashblock.timestampMs)],
    ["To be posted by", moment(flashblock.postBy * 1000n)],
  ];
}

function fact([what, value, isHex]) {
  const term = document.createElement("dt");
  const description = document.createElement("dd");
  term.textContent = what;
  description.textContent = value;
  description.classList.toggle("hex", isHex === true);
  return [term, description];
}

/** Unix milliseconds as UTC; beyond what a date can hold, the bare number. */
function moment(unixMs) {
  const date = new Date(Number(unixMs));
  return Number.isNaN(date.getTime()) ? `${unixMs} ms` : date.toISOString().replace("T", " ").replace(/(\.000)?Z$/, " UTC");
}

async function readFile(file) {
  // A file that is too long is cut where the verifier refuses it, not read whole.
  promiseField.value = await file.slice(0, TEXT_LIMIT + 1).text();
  show();
}

promiseField.addEventListener("input", show);
chainField.addEventListener("input", show);
byId("file").addEventListener("change", ({ target }) => {
  if (target.files.length) readFile(target.files[0]);
  target.value = "";
});
byId("example").addEventListener("click", () => {
  promiseField.value = JSON.stringify(JSON.parse(byId("example-promise").textContent), null, 2);
  show();
});
byId("clear").addEventListener("click", () => {
  promiseField.value = "";
  show();
  promiseField.focus();
});

// A file may be dropped anywhere on the page; elsewhere the browser would open it instead.
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    byId("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) readFile(event.dataTransfer.files[0]);
  });
}

show();
