import { formatRatePerHour, type Quote } from "@dcx/protocol";
import { type Naming, naming } from "../../await/conditions";
import type { DatacenterRecord, DeploymentKey, NetworkDriver } from "../../network/driver";
import type { ActualInfrastructure, Snapshot } from "../../network/snapshot";
import { priceText } from "../../plan/offers";

/** The datacenters' own reasons for not bidding on the orders that are still open, a paragraph for each order. */
export async function whyNoLease(
  driver: NetworkDriver,
  deployment: DeploymentKey,
  id: string,
  after: string,
): Promise<readonly string[]> {
  // Whoever waited is out of time; asking why gets a little of its own.
  const signal = AbortSignal.timeout(5000);
  const snapshot = await driver.snapshot(deployment, signal);
  const datacenters = await driver.datacenters(signal);
  const words = naming(await driver.parameters(signal), datacenters);
  const open = Object.entries(snapshot.deployment?.infrastructures ?? {}).filter(
    ([, { order, lease }]) => order !== undefined && lease === undefined,
  );
  return Promise.all(
    open.map(([name, infrastructure]) =>
      explain(driver, deployment, { name, infrastructure, id, after, snapshot }, datacenters, words, signal),
    ),
  );
}

interface Unfilled {
  readonly name: string;
  readonly infrastructure: ActualInfrastructure;
  readonly id: string;
  readonly after: string;
  readonly snapshot: Snapshot;
}

async function explain(
  driver: NetworkDriver,
  deployment: DeploymentKey,
  { name, infrastructure, id, after, snapshot }: Unfilled,
  datacenters: readonly DatacenterRecord[],
  words: Naming,
  signal: AbortSignal,
): Promise<string> {
  const generation = infrastructure.order?.generation ?? 0;
  const order = { ...deployment, infrastructure: name, generation };
  const reasons = await Promise.all(
    datacenters.map(async ({ address }) => {
      try {
        return reasonOf(await driver.quote(order, address, signal), infrastructure, words);
      } catch {
        return { text: "does not answer", rate: undefined };
      }
    }),
  );
  const counted = new Map<string, number>();
  for (const { text } of reasons) {
    counted.set(text, (counted.get(text) ?? 0) + 1);
  }
  const lines = [...counted].sort((a, b) => b[1] - a[1]).map(([text, count]) => `    ${count} ${text}`);
  const asked = reasons.flatMap(({ rate }) => (rate === undefined ? [] : [rate])).sort((a, b) => (a < b ? -1 : 1))[0];
  const advice =
    asked === undefined
      ? "Change what the order asks for"
      : `Raise maxPrice to ${formatRatePerHour(asked, words.parameters.blockInterval)} in all, or change what the order asks for`;
  const many = datacenters.length;
  return [
    `no lease for infrastructure "${name}" after ${after}`,
    `  Order ${deployment.sequence}/${name}/${generation} is open; ${many} ${many === 1 ? "datacenter" : "datacenters"} saw it, none has bid${many === 0 ? "" : ":"}`,
    ...lines,
    `  ${advice}. The order stays open: \`pulumi up\` goes on waiting, \`pulumi destroy\` closes it.`,
    `  (deployment ${id}, block ${snapshot.height})`,
  ].join("\n");
}

function reasonOf(
  quote: Quote,
  { terms }: ActualInfrastructure,
  words: Naming,
): { readonly text: string; readonly rate: bigint | undefined } {
  const { blockInterval } = words.parameters;
  if (quote.willBid) {
    const bid = formatRatePerHour(BigInt(quote.rate), blockInterval);
    return { text: `would bid ${bid} and has not yet`, rate: undefined };
  }
  if (quote.reason === "price" && quote.rate !== undefined) {
    const rate = BigInt(quote.rate);
    return { text: priceText(rate, terms, blockInterval), rate };
  }
  return { text: `${quote.reason}: ${quote.message}`, rate: undefined };
}
