import { getEventListeners } from "node:events";

/**
 * How much a signal holds of those who wait for it: listeners, and what Node keeps in it for signals that
 * `AbortSignal.any` made of it.
 */
export function heldBy(signal: AbortSignal): number {
  const list = Object.getOwnPropertySymbols(signal).find(({ description }) => description === "kDependantSignals");
  const dependants: unknown = list === undefined ? undefined : Reflect.get(signal, list);
  const count = typeof dependants === "object" && dependants !== null && "size" in dependants ? dependants.size : 0;
  return Number(count) + getEventListeners(signal, "abort").length;
}
