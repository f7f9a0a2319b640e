import { costPerHour, formatTokens, type Rate } from "@dcx/protocol";

/** Below this many hours of what a plan costs, a preview says how long the tenant's balance lasts. */
const comfortable = 24n;

/**
 * What a person should know of the tenant's balance before a plan is carried out: that it does not cover the fees, or
 * how soon it ends. A lease whose deposit can't be refilled ends as `insufficient-funds`.
 * @param balance micro-units
 * @param fees micro-units of each transaction, as far as known
 * @param rate at most, of the deployment once the plan is carried out
 * @param blockInterval milliseconds
 */
export function fundsNotes(
  balance: bigint,
  fees: readonly (bigint | undefined)[],
  rate: Rate,
  blockInterval: number,
): readonly string[] {
  const fee = fees.reduce<bigint>((sum, one) => sum + (one ?? 0n), 0n);
  if (fee > balance) {
    return [`the tenant's balance of ${formatTokens(balance)} does not cover the fees of about ${formatTokens(fee)}`];
  }
  const hourly = costPerHour(rate, blockInterval);
  const left = balance - fee;
  if (left >= hourly * comfortable) return [];
  const minutes = (left * 60n) / hourly;
  const time = minutes < 120n ? `${minutes} minutes` : `${minutes / 60n} hours`;
  return [
    `the tenant's balance of ${formatTokens(balance)} pays for about ${time} of this at most; leases end when it is ` +
      "used up: send it tokens, or lower a maxPrice or a count",
  ];
}
