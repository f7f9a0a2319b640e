import fc from "fast-check";
import { formatPath, parsePath, rootOf } from "./path";

describe("a property path", () => {
  it.each([
    [["infrastructures", "west", "resources", 0, "cpu"], "infrastructures.west.resources[0].cpu"],
    [["environment", "LOG.LEVEL"], 'environment["LOG.LEVEL"]'],
    [["environment", 'a"b'], 'environment["a\\"b"]'],
    [["us-west", "x"], '["us-west"].x'],
    [[], ""],
  ])("is written as the engine writes it: %j", (steps, written) => {
    expect(formatPath(steps)).toBe(written);
  });

  it("names its first step", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((key) => !key.includes("\\")),
        fc.array(fc.oneof(fc.string(), fc.nat())),
        (root, rest) => {
          expect(rootOf(formatPath([root, ...rest]))).toBe(root);
        },
      ),
    );
  });

  it("is read back as what was written", () => {
    const key = fc.string({ minLength: 1 }).filter((one) => !one.includes("\\"));
    fc.assert(
      fc.property(fc.array(fc.oneof(key, fc.nat()), { minLength: 1 }), (steps) => {
        expect(parsePath(formatPath(steps))).toEqual(steps);
      }),
    );
  });
});
