import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CloseReason, ExchangeErrorCode, InstanceState, RefusalReason } from "@dcx/protocol";
import { EnvelopeErrorCode } from "../../exchange/src/application/envelope-error";
import { root } from "../support/root";

/** The guide to errors knows every code that there is, and quotes no message that there is not. */

const guide = readFileSync(join(root, "docs", "guides", "troubleshooting.md"), "utf8");

/** First cells of the tables below a heading. */
function rowsUnder(heading: string, text = guide): readonly string[] {
  const from = text.indexOf(`\n## ${heading}\n`);
  if (from === -1) {
    throw new Error(`there is no heading ${heading}`);
  }
  const to = text.indexOf("\n## ", from + 1);
  const rows = text.slice(from, to === -1 ? undefined : to).matchAll(/^\| ([^|]+?) \|(?: ([^|]*?) \|)?/gm);
  return [...rows].map(([, first = "", second = ""]) => (/^(dcx|sdk) \d/.test(first) ? `${first} ${second}` : first));
}

/** Those that no table below a heading begins a row with. */
function missing(heading: string, codes: readonly string[]): readonly string[] {
  const rows = rowsUnder(heading);
  return codes.filter((code) => !rows.includes(code));
}

/** Names of an enum with their numbers, without what stands for "unset". */
function members(codes: Readonly<Record<string, string | number>>): readonly (readonly [string, number])[] {
  return Object.entries(codes).flatMap(([name, value]) =>
    typeof value === "number" && value > 0 ? [[name, value] as const] : [],
  );
}

/** What an expression finds in the sources of some parts, tests left out. */
function inSources(parts: readonly string[], expression: RegExp): readonly string[] {
  const found = sourcesOf(parts).flatMap((text) => [...text.matchAll(expression)].map(([, match = ""]) => match));
  return [...new Set(found)].sort();
}

function sourcesOf(parts: readonly string[]): readonly string[] {
  return parts.flatMap((part) => {
    const folder = join(root, part, "src");
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".spec.ts") && !/(^|\/)(model|testing)\//.test(name))
      .map((name) => readFileSync(join(folder, name), "utf8"));
  });
}

describe("the guide knows every code", () => {
  test("of the exchange", () => {
    const known = members(ExchangeErrorCode).map(([name, code]) => `dcx ${code} ${name}`);
    expect(missing("Codes of the exchange", known)).toEqual([]);
  });

  test("of the envelope", () => {
    const known = members(EnvelopeErrorCode).map(([name, code]) => `sdk ${code} ${name}`);
    expect(missing("Codes of the exchange", known)).toEqual([]);
  });

  test("with which orders and leases end", () => {
    const known = members(CloseReason).map(([name]) => name);
    expect(missing("Reasons why orders and leases end", known)).toEqual([]);
  });

  test("for which a datacenter does not bid", () => {
    expect(missing("Reasons of a datacenter not to bid", [...RefusalReason.options])).toEqual([]);
  });

  test("of the clients of exchange and agents", () => {
    const codes = inSources(["protocol"], /^ {2}(?:override )?readonly code = "([a-z-]+)"/gm);
    expect(codes).toEqual(expect.arrayContaining(["agent-refused", "network-unreachable"]));
    expect(missing("Codes of programs", [...codes])).toEqual([]);
  });

  test("of an agent's answers", () => {
    const codes = [
      ...inSources(["datacenter"], /new Refusal\(\s*\d+,\s*"([a-z-]+)"/g),
      ...inSources(["protocol"], /^export type AuthenticationRefusal = (.*);$/gm).flatMap((union) =>
        [...union.matchAll(/"([a-z-]+)"/g)].map(([, code = ""]) => code),
      ),
    ];
    expect(codes).toEqual(expect.arrayContaining(["chain-unreachable", "not-a-holder"]));
    expect(missing("Codes of a datacenter's agent", codes)).toEqual([]);
  });

  test("of an instance's state", () => {
    expect(missing("States of an instance", [...InstanceState.options])).toEqual([]);
  });

  test("which means: a row that is taken out is missed", () => {
    const without = guide.replace(/^\| dcx 9 .*\n/m, "");
    expect(rowsUnder("Codes of the exchange", without)).not.toContain("dcx 9 RevisionMismatch");
    expect(rowsUnder("Codes of the exchange")).toContain("dcx 9 RevisionMismatch");
  });
});

// The engine's own, which no source of ours holds.
const ofTheEngine = [
  "Attempting to deploy or update resources with … pending operations",
  "failed to load checkpoint: EOF",
];

test("every message that the guide quotes is one of ours", () => {
  const text = sourcesOf(["protocol", "datacenter", "exchange", "provider", "cli"])
    .join("\n")
    .replaceAll(/["`] \+\s*["`]/g, "")
    .replaceAll("\\`", "`")
    .replaceAll('\\"', '"')
    // A sentence may begin with a name that is written small where it is made.
    .toLowerCase();
  const quoted = [...guide.matchAll(/^\*\*(.*)\*\*$/gm)].flatMap(([, line = ""]) =>
    [...line.matchAll(/`((?:[^`\\]|\\`)+)`/g)].map(([, message = ""]) => message.replaceAll("\\`", "`")),
  );
  expect(quoted.length).toBeGreaterThan(10);
  const pieces = (message: string): readonly string[] => message.split("…").map((piece) => piece.trim());
  const wrong = quoted.filter(
    (message) =>
      !ofTheEngine.includes(message) &&
      !pieces(message).every((piece) => piece.length < 4 || text.includes(piece.toLowerCase())),
  );
  expect(wrong).toEqual([]);
});
