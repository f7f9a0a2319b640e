import { constants, PerformanceObserver } from "node:perf_hooks";
import { z } from "zod";
import { carriedPiece } from "./carried-pieces";
import { until } from "./testing/worlds";

const mebibyte = 1024 * 1024;
const Collection = z.object({ detail: z.object({ flags: z.number(), kind: z.number() }) });

it("has young objects collected for each four MiB that were carried", async () => {
  let minor = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { flags, kind } = Collection.parse(entry).detail;
      const forced = (flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0;
      if (forced && kind === constants.NODE_PERFORMANCE_GC_MINOR) minor += 1;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  /** After `act` young objects have been collected so many times since the beginning. */
  const expectAfter = async (act: () => void, times: number): Promise<void> => {
    act();
    await until(() => minor >= times);
    expect(minor).toBe(times);
  };
  await expectAfter(() => carriedPiece(4 * mebibyte), 1);
  await expectAfter(() => {
    for (let pieces = 0; pieces < 3 * 64; pieces++) carriedPiece(mebibyte / 16);
  }, 4);
  carriedPiece(4 * mebibyte - 1);
  await expectAfter(() => carriedPiece(1), 5);
  observer.disconnect();
});
