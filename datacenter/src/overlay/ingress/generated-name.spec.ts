import { generatedLabel } from "./generated-name";
import { connection } from "./testing/world";

describe("a generated host name", () => {
  it("is the connection's name and a hash of all that it belongs to, and fits a DNS label", () => {
    expect(generatedLabel("test-1", connection)).toMatch(/^public-[0-9a-v]{20}$/);
    const names = [
      generatedLabel("test-1", connection),
      generatedLabel("test-2", connection),
      generatedLabel("test-1", "dcx1tenant/42/connections/public"),
      generatedLabel("test-1", "dcx1other/41/connections/public"),
    ];
    expect(new Set(names).size).toBe(4);
    expect(generatedLabel("test-1", `dcx1tenant/1/connections/${"a".repeat(40)}`)).toHaveLength(61);
  });

  it("never changes: it is an output of programs", () => {
    expect(generatedLabel("test-1", connection)).toBe("public-uhe7lkispqefi01sc1rv");
  });
});
