import type { ExchangeQueryClient } from "@dcx/protocol";
import type { DatacenterConfiguration } from "../configuration";
import type { Home } from "../home/home";
import { headersFrom } from "./light-client/answers";
import { LightClient } from "./light-client/light-client";
import { ProvenReads } from "./proven-reads";

/** How far ahead of this machine's the validators' clocks may be, in ms. */
const clockDrift = 10_000;
const recordName = "light-client/trusted";

/** Reads that need no trust in the endpoints, where the configuration asks for them. */
export function openProvenReads(
  { chain }: DatacenterConfiguration,
  query: ExchangeQueryClient,
  home: Pick<Home, "records">,
): ProvenReads | undefined {
  const { trust, trustingPeriod } = chain;
  if (trust === "endpoints") return undefined;
  const light = new LightClient({
    chainId: query.chainId,
    root: trust === "first-use" ? trust : { height: trust.height, hash: Buffer.from(trust.hash, "hex") },
    trustingPeriod,
    clockDrift,
    source: headersFrom(query),
    store: {
      read: () => home.records.get(recordName),
      write: (block) => home.records.put(recordName, block),
    },
  });
  return new ProvenReads(query, light);
}
