import { Resolver } from "node:dns/promises";
import type { DnsAnswer } from "./host-proof";

/** Answers that say that there is no such record, as against no answer. */
const nothingThere = ["ENOTFOUND", "ENODATA"];

export interface TxtLookup {
  /** Never rejects. */
  lookup(name: string): Promise<DnsAnswer>;
  close(): void;
}

/**
 * Asks the DNS for TXT records.
 * @param servers addresses, with a port where it is not 53; none: the machine's own
 * @throws {Error} where one is no address
 */
export function createTxtLookup(servers: readonly string[]): TxtLookup {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return {
    lookup: async (name) => {
      try {
        return { records: (await resolver.resolveTxt(name)).map((parts) => parts.join("")) };
      } catch (error) {
        const code =
          typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error);
        return nothingThere.includes(code) ? { records: [] } : { failure: code };
      }
    },
    close: () => resolver.cancel(),
  };
}
