import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseSync } from "@swc/core";

const root = resolve(__dirname, "..", "..", "..");

/** What is known to go wrong with providers, by section and number of the list that the project began with. */
const items: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(__dirname, "items.json"), "utf8"));

/** First arguments of all calls of `it` and `test`, also of `it.each(…)(…)`: the titles of a spec's tests. */
function titles(file: string): readonly string[] {
  const found: string[] = [];
  visit(parseSync(readFileSync(file, "utf8"), { syntax: "typescript", target: "es2022" }), (call) => {
    if (isTest(call["callee"])) {
      const [first] = call["arguments"] as readonly { readonly expression: Node }[];
      const title = first?.expression;
      if (title?.["type"] === "StringLiteral") {
        found.push(String(title["value"]));
      }
    }
  });
  return found;
}

type Node = Readonly<Record<string, unknown>>;

function visit(node: unknown, onCall: (call: Node) => void): void {
  if (Array.isArray(node)) {
    for (const one of node) {
      visit(one, onCall);
    }
  } else if (typeof node === "object" && node !== null) {
    const record = node as Node;
    if (record["type"] === "CallExpression") {
      onCall(record);
    }
    for (const value of Object.values(record)) {
      visit(value, onCall);
    }
  }
}

function isTest(callee: unknown): boolean {
  if (typeof callee !== "object" || callee === null) {
    return false;
  }
  const { type, value, object, callee: inner } = callee as Node;
  switch (type) {
    case "Identifier":
      return value === "it" || value === "test";
    case "MemberExpression":
      return isTest(object);
    case "CallExpression":
      return isTest(inner);
    default:
      return false;
  }
}

it("every known pitfall is named by the title of a test, as `pitfall 1.3.7: …`", () => {
  const specs = globSync(["provider/src/**/*.spec.ts", "tests/**/*.spec.ts"], { cwd: root });
  const named = specs
    .flatMap((file) => titles(join(root, file)))
    .flatMap((title) => [...title.matchAll(/pitfall (\d+(?:\.\d+)+):/g)].map(([, item]) => item ?? ""));
  const known = Object.keys(items);
  expect(known).toHaveLength(18 + 16);
  expect(known.filter((item) => !named.includes(item))).toEqual([]);
  expect(named.filter((item) => !known.includes(item))).toEqual([]);
});
