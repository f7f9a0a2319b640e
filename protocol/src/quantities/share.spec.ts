import { QuantityError } from "./error";
import { formatShare, parseShare } from "./share";

test.each([
  ["0", 0n],
  ["0.05", 50_000_000_000_000_000n],
  ["1", 10n ** 18n],
  ["0.000000000000000001", 1n],
])("reads and prints %s", (text, share) => {
  expect(parseShare(text)).toBe(share);
  expect(formatShare(share)).toBe(text);
});

test.each(["5%", "1.01", "-0.1", "0.0000000000000000001", ""])("refuses %j", (text) => {
  expect(() => parseShare(text)).toThrow(QuantityError);
});
