import { parseRate } from "@dcx/protocol";
import type { DatacenterConfiguration } from "../configuration";
import { type FixedRates, fixedPricing, type PricingStrategy, utilizationPricing } from "./pricing";
import { ScriptPricing } from "./script-pricing";

/** The strategy that a configuration names, once the chain's block interval (milliseconds) is known. */
export function pricingOf(
  { pricing }: Pick<DatacenterConfiguration, "pricing">,
  logger: { warn(details: object, message: string): void },
): (blockInterval: bigint) => PricingStrategy {
  let made: { readonly blockInterval: bigint; readonly strategy: PricingStrategy } | undefined;
  return (blockInterval) => {
    // One of each: a script's orders wait for one another.
    if (made?.blockInterval !== blockInterval) made = { blockInterval, strategy: make(blockInterval) };
    return made.strategy;
  };

  function make(blockInterval: bigint): PricingStrategy {
    const floor = parseRate(pricing.floor, blockInterval);
    if (pricing.strategy === "script") {
      const { command, timeout } = pricing;
      return new ScriptPricing({ command, timeout, floor, blockInterval, logger });
    }
    const rates: FixedRates = {
      cpu: parseRate(pricing.cpu, blockInterval),
      memory: parseRate(pricing.memory, blockInterval),
      disk: parseRate(pricing.disk, blockInterval),
      gpu: parseRate(pricing.gpu, blockInterval),
      floor,
    };
    return pricing.strategy === "fixed" ? fixedPricing(rates) : utilizationPricing(rates, pricing);
  }
}
