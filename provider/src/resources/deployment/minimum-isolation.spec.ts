import type { ValueMap } from "../../wire/value";
import { Problems } from "../inputs/shape";
import { withMinimumIsolation } from "./minimum-isolation";

function asked(attributes: ValueMap, minimum: "none" | "sandbox" | "container" | undefined): unknown {
  const problems = new Problems();
  const inputs = withMinimumIsolation({ infrastructures: { west: { region: "x", attributes } } }, minimum, problems);
  const [failure] = problems.failures;
  return failure?.reason ?? (inputs["infrastructures"] as Record<string, ValueMap>)["west"]?.["attributes"];
}

it.each([
  ["nothing without the setting", {}, undefined, {}],
  ["nothing where none will do", {}, "none", {}],
  ["containers", { ssd: "yes" }, "container", { ssd: "yes", isolation: "container" }],
  ["sandboxes or containers", {}, "sandbox", { isolated: "true" }],
  ["what it asks for itself, where that is more", { isolation: "container" }, "sandbox", { isolation: "container" }],
  ["a class that dcx does not know", { isolation: "enclave" }, "container", { isolation: "enclave" }],
] as const)("an infrastructure asks for %s", (_, attributes, minimum, expected) => {
  expect(asked(attributes, minimum)).toEqual(expected);
});

it.each([
  ["a weaker class", { isolation: "sandbox" }, "container", /attributes.isolation: is sandbox, .* below container/],
  ["none", { isolation: "none" }, "sandbox", /attributes.isolation: is none/],
  ["not being isolated", { isolated: "false" }, "sandbox", /attributes.isolated: is false/],
] as const)("an infrastructure that asks for %s is refused", (_, attributes, minimum, message) => {
  expect(asked(attributes, minimum)).toMatch(message);
});

it("is asked for once: a second check changes nothing", () => {
  const once = { infrastructures: { west: { attributes: { isolated: "true" } } } };
  expect(withMinimumIsolation(once, "sandbox", new Problems())).toEqual(once);
});
