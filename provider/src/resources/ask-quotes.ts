import { type Quote, within } from "@dcx/protocol";
import { type DatacenterRecord, type NetworkDriver, NetworkError } from "../network/driver";
import type { Terms } from "../network/snapshot";
import type { Bid, Quotes, Refused } from "../plan/offers";

/** Milliseconds that an agent has for an answer where the caller does not say. */
const PATIENCE = 5000;
/** Agents that are asked at a time. */
const AT_ONCE = 16;

/**
 * Asks every datacenter what it would ask for each of these infrastructures. Those that the chain's own records rule out
 * are not asked: their answer is known. Each is quoted by itself: whether one datacenter has room for two of them at once
 * is not told.
 * @param patience milliseconds that an agent has for an answer
 */
export async function askQuotes(
  driver: NetworkDriver,
  infrastructures: Readonly<Record<string, Terms>>,
  datacenters: readonly DatacenterRecord[],
  signal: AbortSignal,
  patience = PATIENCE,
): Promise<Readonly<Record<string, Quotes>>> {
  const questions = Object.entries(infrastructures).flatMap(([name, terms]) =>
    datacenters.map((datacenter) => ({ name, terms, datacenter })),
  );
  const answers: { readonly name: string; readonly answer: Bid | Refused }[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let question = questions[next++]; question !== undefined; question = questions[next++]) {
      const { name, terms, datacenter } = question;
      answers.push({ name, answer: await askOne(driver, terms, datacenter, signal, patience) });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, questions.length) }, worker));
  return Object.fromEntries(
    Object.keys(infrastructures).map((name) => {
      const mine = answers.filter((one) => one.name === name).map(({ answer }) => answer);
      return [
        name,
        {
          bids: mine.filter((one): one is Bid => !("reason" in one)).sort(byRate),
          refusals: mine.filter((one): one is Refused => "reason" in one).sort(byRate),
        },
      ];
    }),
  );
}

async function askOne(
  driver: NetworkDriver,
  terms: Terms,
  record: DatacenterRecord,
  signal: AbortSignal,
  patience: number,
): Promise<Bid | Refused> {
  const datacenter = record.address;
  const known = ruledOut(terms, record);
  if (known !== undefined) {
    return { datacenter, rate: undefined, ...known };
  }
  try {
    const quote = await within(patience, signal, (bounded) => driver.quoteTerms(terms, datacenter, bounded));
    return quote.willBid ? { datacenter, rate: BigInt(quote.rate) } : refused(datacenter, quote);
  } catch (error) {
    signal.throwIfAborted();
    const refusal = error instanceof NetworkError && error.code === "refused";
    return {
      datacenter,
      reason: refusal ? "refused" : "unreachable",
      message: error instanceof Error ? error.message : String(error),
      rate: undefined,
    };
  }
}

function refused(datacenter: string, quote: Extract<Quote, { willBid: false }>): Refused {
  const { reason, message, rate } = quote;
  return { datacenter, reason, message, rate: rate === undefined ? undefined : BigInt(rate) };
}

/** Why a datacenter's record on the chain rules it out, in the words of its agent. */
export function ruledOut(
  terms: Terms,
  { address, region, attributes }: DatacenterRecord,
): { readonly reason: string; readonly message: string } | undefined {
  if (terms.region !== "" && terms.region !== region) {
    return { reason: "region", message: `is in region ${region}, the order wants ${terms.region}` };
  }
  const missing = Object.entries(terms.attributes)
    .filter(([key, value]) => attributes[key] !== value)
    .map(([key, value]) => `${key}=${value}`);
  if (missing.length > 0) {
    return { reason: "attributes", message: `has no ${missing.join(", ")}` };
  }
  if (terms.deniedDatacenters.includes(address)) {
    return { reason: "denied", message: "is denied by the order" };
  }
  return terms.allowedDatacenters.length > 0 && !terms.allowedDatacenters.includes(address)
    ? { reason: "not-allowed", message: "is not among the datacenters that the order allows" }
    : undefined;
}

/** Without a rate last; ties by address, so that the same answers come in the same order. */
function byRate(a: Bid | Refused, b: Bid | Refused): number {
  if (a.rate !== b.rate) {
    return b.rate === undefined || (a.rate !== undefined && a.rate < b.rate) ? -1 : 1;
  }
  return a.datacenter < b.datacenter ? -1 : 1;
}
