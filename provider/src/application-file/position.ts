import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node } from "yaml";
import type { PathStep } from "../wire/path";

/**
 * Where in the text of a document a path lies: at its key, or at the nearest above it that is written there (what comes
 * out of a merged anchor or is missing has no place of its own).
 */
export function positionOf(document: Document, path: readonly PathStep[]): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const step of path) {
    const here: unknown = isAlias(node) ? node.resolve(document) : node;
    if (isMap(here)) {
      const pair = here.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) {
        break;
      }
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(here) && typeof step === "number" && step < here.items.length) {
      node = here.items[step];
      offset = startOf(isPair(node) ? node.key : node) ?? offset;
    } else {
      break;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return typeof node === "object" && node !== null && "range" in node ? (node as Node).range?.[0] : undefined;
}
