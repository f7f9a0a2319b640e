import { readFileSync } from "node:fs";
import { z } from "zod";

/** A line of `DCX_TRACE` (provider/src/network/trace.ts), as far as it counts here. Milliseconds since 1970. */
const Line = z.object({ awaited: z.array(z.tuple([z.number(), z.number()])) });

/** A span of time in milliseconds. */
export type Span = readonly [start: number, end: number];

/** For how long of that span a plugin awaited its network, by what it told in its trace. */
export function awaitedIn(trace: string, [start, end]: Span): number {
  const spans = readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => Line.parse(JSON.parse(line)).awaited)
    .map(([from, to]): Span => [Math.max(from, start), Math.min(to, end)]);
  return lengthOfUnion(spans);
}

/** The time that is in at least one of the spans. One that ends before it starts holds none. */
export function lengthOfUnion(spans: readonly Span[]): number {
  let total = 0;
  let covered = Number.NEGATIVE_INFINITY;
  for (const [start, end] of [...spans].sort((left, right) => left[0] - right[0])) {
    total += Math.max(0, end - Math.max(start, covered));
    covered = Math.max(covered, end);
  }
  return total;
}
