import type { z } from "zod";
import { joinPath, type ManifestIssue } from "./error";

export type Parsed<T> = { readonly value: T } | { readonly issues: readonly ManifestIssue[] };

/** Runs a schema and puts what it finds into sentences, each with its path under `base`. */
export function parseWith<T>(schema: z.ZodType<T>, input: unknown, base: string): Parsed<T> {
  const hidden = hiddenKeys(input, base);
  if (hidden.length > 0) {
    return { issues: hidden };
  }
  const result = schema.safeParse(input, { error: describe });
  return result.success
    ? { value: result.data }
    : { issues: result.error.issues.flatMap((issue) => issuesOf(issue, base)) };
}

/** Deeper than anything that a manifest holds; what is nested beyond it would overflow the stack. */
const MAX_DEPTH = 16;

/**
 * Keys that a schema would pass over in silence, because assigning to them means something else in JavaScript, and
 * nesting that no schema should have to walk.
 */
function hiddenKeys(input: unknown, path: string, depth = 0): ManifestIssue[] {
  if (input === null || typeof input !== "object") {
    return [];
  }
  if (depth > MAX_DEPTH) {
    return [{ path, message: "is nested too deeply" }];
  }
  return Object.entries(input).flatMap(([key, value]) =>
    key === "__proto__"
      ? [{ path: joinPath(path, key), message: "can't be used as a name" }]
      : hiddenKeys(value, joinPath(path, Array.isArray(input) ? Number(key) : key), depth + 1),
  );
}

function issuesOf(issue: z.core.$ZodIssue, base: string): ManifestIssue[] {
  const path = joinPath(base, ...issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: joinPath(path, key), message: "is not a property that exists here" }));
    case "invalid_key":
      return issue.issues.map(({ message }) => ({ path, message }));
    default:
      return [{ path, message: issue.message }];
  }
}

/** Says what is wrong without showing the value: it may be a secret. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? "is missing"
        : `must be ${KINDS[issue.expected] ?? issue.expected}, not ${kindOf(issue.input)}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "too_big":
      return `has more than ${issue.maximum} items`;
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  object: "a map",
  record: "a map",
  array: "a list",
};

function kindOf(value: unknown): string {
  if (value === null) {
    return "null";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    return "a number that is not finite";
  }
  return (
    { string: "a text", number: "a number", boolean: "a truth value", object: "a map" }[String(typeof value)] ??
    typeof value
  );
}
