/**
 * Microseconds after which an instance may again take its part of the processors. The kernel's usual 100,000 would let one
 * that takes all it can hold all processors for tens of milliseconds, and its neighbours' requests wait meanwhile.
 */
const usualPeriod = 20_000;
const longestPeriod = 100_000;
/** The kernel takes no smaller quota. */
const leastQuota = 1_000;

/** What the kernel is told so that an instance gets no more than so many thousandths of a processor, in microseconds. */
export function processorTime(cpu: number): { readonly period: number; readonly quota: number } {
  const period = (usualPeriod * cpu) / 1000 < leastQuota ? longestPeriod : usualPeriod;
  return { period, quota: Math.max(leastQuota, Math.round((period * cpu) / 1000)) };
}
