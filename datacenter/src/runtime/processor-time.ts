/**
 * Microseconds after which an instance may again take its part of the processors. With the kernel's usual 100,000 one that
 * takes all it can holds all processors for tens of milliseconds, and its neighbours' requests wait meanwhile.
 */
const usualPeriod = 10_000;
const longestPeriod = 100_000;
/** The kernel takes no smaller quota. */
const leastQuota = 1_000;

export interface ProcessorTime {
  /** In microseconds: no more than the quota in each period, on all processors together. */
  readonly period: number;
  readonly quota: number;
  /** Part of a processor that several want at once, among 1024 for a whole one: more for who has paid for more. */
  readonly shares: number;
}

/** What the kernel is told so that an instance gets so many thousandths of a processor, and no more. */
export function processorTime(cpu: number): ProcessorTime {
  const period = Math.min(longestPeriod, Math.max(usualPeriod, Math.ceil((leastQuota * 1000) / cpu)));
  const quota = Math.max(leastQuota, Math.round((period * cpu) / 1000));
  return { period, quota, shares: Math.max(2, Math.round((cpu * 1024) / 1000)) };
}
