import { parseArgs } from "node:util";

export interface Arguments {
  readonly json: boolean;
  /** Whether a missed gate, or a row that was not measured, ends the command with 1. */
  readonly strict: boolean;
  readonly list: boolean;
  /** Whether the figures go into docs/benchmarks.md too. */
  readonly write: boolean;
  /** Whether rows that take many minutes are among them. */
  readonly long: boolean;
  /** Rows whose names hold one of these; all where there is none. */
  readonly only: readonly string[];
  readonly sizes: readonly number[];
}

export const usage = `usage: npm run bench -- [--json] [--only <part of a name>]… [--sizes 10,100,1000] [--long] [--list] [--strict] [--write]

  --only    rows whose names hold this text, whatever its case; may be given several times
  --sizes   resources of the programs (default 10,100,1000); numbers above 1000 are numbers of open orders (default 100000)
  --long    rows that take many minutes too
  --list    the names of the rows, without measuring anything
  --strict  end with 1 where a gate is missed or a row could not be measured
  --write   put what was measured into docs/benchmarks.md; rows that were not stay as they are there
`;

/** @throws Error saying which argument is not understood */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      long: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      sizes: { type: "string", default: "" },
    },
  });
  return { ...values, sizes: values.sizes === "" ? [] : values.sizes.split(",").map(sizeOf) };
}

function sizeOf(text: string): number {
  const size = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new Error(`--sizes: "${text}" is not a whole number above 0`);
  }
  return size;
}

/** The largest program; larger sizes are numbers of open orders. */
const largestProgram = 1_000;

/** What the sizes say about resources and about orders, where they say anything. */
export function splitSizes(sizes: readonly number[]): {
  readonly resources: readonly number[];
  readonly orders: readonly number[];
} {
  const resources = sizes.filter((size) => size <= largestProgram);
  const orders = sizes.filter((size) => size > largestProgram);
  return {
    resources: resources.length === 0 ? [10, 100, 1_000] : resources,
    orders: orders.length === 0 ? [100_000] : orders,
  };
}

export function isWanted(only: readonly string[], name: string): boolean {
  return only.length === 0 || only.some((part) => name.toLowerCase().includes(part.toLowerCase()));
}
