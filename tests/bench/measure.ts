/** How a figure is judged: its ratio to the reference against the aim and the gate (design: "What fast means here"). */
export interface Goal {
  readonly better: "lower" | "higher";
  readonly aim: number;
  readonly gate: number;
}

/** Pairs of a value and its reference, measured one after the other. */
export interface Sample {
  /** Medians over the pairs. */
  readonly value: number;
  readonly reference: number;
  /** Median of the pairs' own ratios: a machine that drifts moves both halves of a pair. */
  readonly ratio: number;
}

export type Verdict = "aim" | "gate" | "missed";

/** The middle value, or the mean of the two middle ones. @throws RangeError when there is none */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) {
    throw new RangeError("there is no median of nothing");
  }
  return (low + high) / 2;
}

/** @throws RangeError when there are no pairs, or a reference is not above zero: no ratio can be had from it */
export function sampleOf(pairs: readonly (readonly [value: number, reference: number])[]): Sample {
  const ratios = pairs.map(([value, reference]) => {
    if (!(reference > 0)) {
      throw new RangeError(`a reference of ${reference} gives no ratio`);
    }
    return value / reference;
  });
  return {
    value: median(pairs.map(([value]) => value)),
    reference: median(pairs.map(([, reference]) => reference)),
    ratio: median(ratios),
  };
}

/** Measures A B A B …, `warmup` pairs of which are thrown away first. */
export async function paired(
  counts: { readonly pairs: number; readonly warmup: number },
  value: () => number | Promise<number>,
  reference: () => number | Promise<number>,
): Promise<Sample> {
  const pairs: [number, number][] = [];
  for (let index = -counts.warmup; index < counts.pairs; index++) {
    const pair: [number, number] = [await value(), await reference()];
    if (index >= 0) {
      pairs.push(pair);
    }
  }
  return sampleOf(pairs);
}

export function verdictOf(goal: Goal, ratio: number): Verdict {
  const reaches = (bound: number): boolean => (goal.better === "lower" ? ratio <= bound : ratio >= bound);
  return reaches(goal.aim) ? "aim" : reaches(goal.gate) ? "gate" : "missed";
}

/** Milliseconds that the work took. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
