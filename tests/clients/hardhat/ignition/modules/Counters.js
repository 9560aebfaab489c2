import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Counters", (m) => {
  const first = m.contract("Counter", [10n], { id: "first" });
  const second = m.contract("Counter", [20n], { id: "second" });
  const once = m.call(first, "increment", [], { id: "once" });
  const twice = m.call(first, "increment", [], { id: "twice", after: [once] });
  const counted = m.readEventArgument(twice, "Counted", "value", { emitter: first });
  m.send("gift", second, 0n, "0xd09de08a", { after: [twice] }); // increment()
  m.staticCall(first, "limit");
  m.contract("Counter", [counted], { id: "third" });
  return { first, second };
});
