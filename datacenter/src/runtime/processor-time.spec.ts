import { processorTime } from "./processor-time";

it.each([
  [1_000, 20_000, 20_000],
  [2_500, 20_000, 50_000],
  [250, 20_000, 5_000],
  [50, 20_000, 1_000],
  // Below the least quota of the usual period.
  [20, 100_000, 2_000],
  [1, 100_000, 1_000],
])("gives %i thousandths of a processor as a period of %i and a quota of %i microseconds", (cpu, period, quota) => {
  expect(processorTime(cpu)).toEqual({ period, quota });
});
