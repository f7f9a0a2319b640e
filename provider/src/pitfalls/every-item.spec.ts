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

/** Titles' items in these specs. */
function namedIn(...patterns: readonly string[]): readonly string[] {
  return globSync(patterns, { cwd: root })
    .flatMap((file) => titles(join(root, file)))
    .flatMap((title) => [...title.matchAll(/pitfall (\d+(?:\.\d+)+):/g)].map(([, item]) => item ?? ""));
}

/** Those in which the engine has no part: how a message is encoded, and when a call counts as cancelled. */
const ofTheProtocolAlone: readonly string[] = ["1.3.6", "1.3.7"];

it("every pitfall in which the engine has a part is named by the title of a test under the real one", () => {
  const named = namedIn("tests/**/*.spec.ts");
  expect(Object.keys(items).filter((item) => !named.includes(item))).toEqual(ofTheProtocolAlone);
});

it("every known pitfall is named by the title of a test, as `pitfall 1.3.7: …`", () => {
  const named = namedIn("provider/src/**/*.spec.ts", "tests/**/*.spec.ts");
  const known = Object.keys(items);
  expect(known).toHaveLength(18 + 16);
  expect(known.filter((item) => !named.includes(item))).toEqual([]);
  expect(named.filter((item) => !known.includes(item))).toEqual([]);
});
