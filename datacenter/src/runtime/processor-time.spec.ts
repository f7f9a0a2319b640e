import { processorTime } from "./processor-time";

it.each([
  [1_000, 10_000, 10_000, 1_024],
  [2_500, 10_000, 25_000, 2_560],
  [250, 10_000, 2_500, 256],
  // The kernel takes no quota below a millisecond.
  [40, 25_000, 1_000, 41],
  [10, 100_000, 1_000, 10],
  [1, 100_000, 1_000, 2],
])(
  "gives %i thousandths of a processor as a period of %i and a quota of %i microseconds, and %i shares",
  (cpu, period, quota, shares) => {
    expect(processorTime(cpu)).toEqual({ period, quota, shares });
  },
);
