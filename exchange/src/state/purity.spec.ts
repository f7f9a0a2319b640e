import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What gives different answers on different machines, or at different times, has no place in the state machine. */
const impure =
  /\bDate\b|Math\.random|\bPromise\b|\basync\b|\bawait\b|\bprocess\.|\bIntl\b|[lL]ocale|setTimeout|setImmediate|performance\.|parseFloat|crypto|node:/;

const sources = readdirSync(__dirname, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".ts") && !file.endsWith(".spec.ts") && !file.startsWith("testing"),
);

test.each(sources)("%s reads no clock, no chance, no file, no network, and waits for nothing", (file) => {
  const code = readFileSync(join(__dirname, file), "utf8")
    .split("\n")
    .filter((line) => !/^\s*(\/\*\*|\*|\/\/)/.test(line));
  expect(code.filter((line) => impure.test(line))).toEqual([]);
});
