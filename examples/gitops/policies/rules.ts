/**
 * The rules as plain functions of what the engine hands to a policy: the inputs of a resource after the provider's
 * Check, which brings every price to one spelling (`0.4/h`, `12/month`, `20u/block`).
 */

interface Infrastructure {
  readonly region?: string;
  readonly resources?: readonly { readonly maxPrice?: string | number }[];
}

interface Workload {
  readonly container?: string | { readonly image?: string };
}

/** What the rules look at in a `dcx:index:Deployment`. */
export interface DeploymentInputs {
  readonly infrastructures?: Readonly<Record<string, Infrastructure>>;
  readonly workloads?: Readonly<Record<string, Workload>>;
  readonly maxCostPerMonth?: string | number;
}

const hours: Readonly<Record<string, number>> = { h: 1, day: 24, month: 30 * 24 };

/**
 * Tokens an hour that a price means; undefined for a price per block where the block interval is not known.
 * @param blockSeconds seconds from one block of the exchange to the next
 */
export function perHour(price: string | number, blockSeconds: number | undefined): number | undefined {
  const [, number = "", micro, period = "h"] = /^([\d.eE+-]+)(u)?(?:\/([a-z]+))?$/.exec(String(price)) ?? [];
  const tokens = Number(number) / (micro === undefined ? 1 : 1e6);
  if (period === "block") {
    return blockSeconds === undefined ? undefined : (tokens * 3600) / blockSeconds;
  }
  const length = hours[period];
  return number === "" || length === undefined ? undefined : tokens / length;
}

/** One sentence for each resource group that may cost more than `most` tokens an hour. */
export function pricesAbove(inputs: DeploymentInputs, most: number, blockSeconds?: number): readonly string[] {
  return Object.entries(inputs.infrastructures ?? {}).flatMap(([name, { resources = [] }]) =>
    resources.flatMap(({ maxPrice = 0 }, group) => {
      const where = `infrastructures.${name}.resources[${group}].maxPrice`;
      const price = perHour(maxPrice, blockSeconds);
      if (price === undefined) {
        return [
          `${where} is ${maxPrice}: write it per hour, or give the policy "blockSeconds", so that it can be compared.`,
        ];
      }
      return price > most ? [`${where} is ${maxPrice}, the most is ${most}/h.`] : [];
    }),
  );
}

/** One sentence for each infrastructure that may be leased outside of `allowed`. */
export function regionsBeyond(inputs: DeploymentInputs, allowed: readonly string[]): readonly string[] {
  return Object.entries(inputs.infrastructures ?? {}).flatMap(([name, { region = "" }]) => {
    if (allowed.includes(region)) {
      return [];
    }
    const is = region === "" ? "names no region, so any datacenter may win it" : `is in ${region}`;
    return [`Infrastructure ${name} ${is}. Allowed: ${allowed.join(", ")}.`];
  });
}

/** A sentence where an image can change without the program changing: tag `latest` and no digest. */
export function movingImage(where: string, { container }: Workload): readonly string[] {
  const image = typeof container === "object" ? container.image : container;
  if (image === undefined || image.includes("@")) {
    return [];
  }
  const tag = /:([^:/]+)$/.exec(image)?.[1] ?? "latest";
  return tag === "latest" ? [`${where} runs ${image}: name a version or a digest.`] : [];
}

/** A sentence where nothing bounds what the deployment costs, or the bound is above `most` tokens a month. */
export function unboundedCost({ maxCostPerMonth }: DeploymentInputs, most: number | undefined): readonly string[] {
  if (maxCostPerMonth === undefined) {
    return ["maxCostPerMonth is missing: say what the deployment may cost at most."];
  }
  return most !== undefined && Number(maxCostPerMonth) > most
    ? [`maxCostPerMonth is ${maxCostPerMonth}, the most is ${most}.`]
    : [];
}
