import { toJson, toTable } from "./print";

test("JSON keeps every digit of a bigint, and bytes as hexadecimal", () => {
  const value = {
    amount: 2n ** 63n - 1n,
    bytes: new Uint8Array([1, 255]),
    buffer: Buffer.from([16]),
    text: "as it is",
  };
  expect(JSON.parse(toJson(value))).toEqual({
    amount: "9223372036854775807",
    bytes: "01ff",
    buffer: "10",
    text: "as it is",
  });
});

test("a table says so where there is nothing to show", () => {
  const columns = [{ title: "name", value: (row: { name: string }) => row.name }];
  expect(toTable([], columns, "no rows")).toBe("no rows");
  expect(toTable([{ name: "west" }], columns, "no rows").split("\n")[1]).toBe("west");
});
