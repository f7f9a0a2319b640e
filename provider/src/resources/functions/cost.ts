import { costPerHour, costPerMonth, formatRate, formatRatePerBlock, formatTokens } from "@dcx/protocol";
import type { NetworkParameters } from "../../network/driver";
import type { ValueMap } from "../../wire/value";

/** A rate as people and programs read it. `rate` is exact and can be written as a price; the costs are tokens. */
export function costOutputs(rate: bigint, { blockInterval }: NetworkParameters): ValueMap {
  return {
    rate: formatRate(rate, blockInterval),
    costPerBlock: formatRatePerBlock(rate),
    costPerHour: formatTokens(costPerHour(rate, blockInterval)),
    costPerMonth: formatTokens(costPerMonth(rate, blockInterval)),
  };
}
