import { Order, type QuoteTerms } from "@dcx/protocol";

/** The order that these terms would be. It has no place on the chain: its sequence and generation are 0. */
export function orderOf(terms: QuoteTerms, tenant: string): Order {
  return Order.fromPartial({
    id: { tenant, sequence: 0n, infrastructure: "", generation: 0 },
    terms: {
      region: terms.region,
      attributes: Object.keys(terms.attributes)
        .sort()
        .map((key) => ({ key, value: terms.attributes[key] ?? "" })),
      allowedDatacenters: terms.allowedDatacenters,
      deniedDatacenters: terms.deniedDatacenters,
      resources: terms.resources.map(({ cpu, memory, disk, gpu, count, price, collateral }) => ({
        compute: {
          cpu: BigInt(cpu),
          memory: BigInt(memory),
          disk: BigInt(disk),
          ...(gpu === undefined ? {} : { gpu }),
        },
        count,
        price,
        collateral: BigInt(collateral),
      })),
    },
  });
}
