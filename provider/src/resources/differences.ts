import { appendKey } from "../wire/path";
import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "../wire/value";
import { isList, isMap, withoutMarks } from "./inputs/shape";
import type { DiffKind, DiffResult } from "./resource";

export type Differences = Record<string, { readonly kind: DiffKind; readonly inputDiff: boolean }>;

/** What differs between two values, by path. A value that is not known yet may differ: it counts as changed. */
export function differences(before: Value | undefined, after: Value | undefined, path: string): Differences {
  const found: Differences = {};
  compare(strip(before), strip(after), path, found);
  return found;
}

function strip(value: Value | undefined): Value | undefined {
  return value === undefined ? undefined : withoutMarks(value);
}

function compare(before: Value | undefined, after: Value | undefined, path: string, found: Differences): void {
  if (after instanceof Unknown) {
    found[path] = { kind: before === undefined ? "add" : "update", inputDiff: true };
    return;
  }
  if (before === undefined || after === undefined) {
    if (before !== after) {
      found[path] = { kind: before === undefined ? "add" : "delete", inputDiff: true };
    }
    return;
  }
  if (isMap(before) && isMap(after)) {
    compareMaps(before, after, path, found);
    return;
  }
  if (isList(before) && isList(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      compare(before[index], after[index], appendKey(path, index), found);
    }
    return;
  }
  if (!same(before, after)) {
    found[path] = { kind: "update", inputDiff: true };
  }
}

function compareMaps(before: ValueMap, after: ValueMap, path: string, found: Differences): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(before[key], after[key], appendKey(path, key), found);
  }
}

function same(a: Value, b: Value): boolean {
  if (a instanceof ResourceReference || b instanceof ResourceReference || a instanceof Secret || b instanceof Secret) {
    return false;
  }
  return a === b;
}

/** A diff without what the program said to ignore. */
export function diffResult(
  detailed: Differences,
  ignoreChanges: readonly string[],
  stables: readonly string[],
  deleteBeforeReplace: "delete-before-replace" | "create-before-delete",
): DiffResult {
  const kept = Object.entries(detailed).filter(
    ([path]) =>
      !ignoreChanges.some(
        (ignored) => path === ignored || path.startsWith(`${ignored}.`) || path.startsWith(`${ignored}[`),
      ),
  );
  return {
    detailed: Object.fromEntries(kept),
    deleteBeforeReplace: deleteBeforeReplace === "delete-before-replace",
    stables,
  };
}
