import { naming } from "../../await/conditions";
import type { DatacenterRecord, NetworkParameters } from "../../network/driver";
import type { Terms } from "../../network/snapshot";
import type { Quotes } from "../../plan/offers";
import { highestRate } from "../../plan/plan-deployment";
import type { ValueMap } from "../../wire/value";
import { askQuotes } from "../ask-quotes";
import { deploymentFields } from "../inputs/deployment-shapes";
import { desiredInfrastructures } from "../inputs/desired";
import { isMap } from "../inputs/shape";
import type { ProviderFunctionRules } from "./arguments";
import { costOutputs } from "./cost";
import { presentIdentity } from "./deployment-argument";

/** What infrastructures would cost, who would bid on them, and why the others would not. Sends nothing to the chain. */
export const getQuote: ProviderFunctionRules = {
  token: "dcx:index:getQuote",
  fields: Object.fromEntries(Object.entries(deploymentFields).filter(([name]) => name === "infrastructures")),
  whole: ({ infrastructures }) =>
    isMap(infrastructures) && Object.keys(infrastructures).length === 0
      ? "infrastructures: must name at least one"
      : undefined,
  async answer(session, args, { signal }): Promise<ValueMap> {
    await presentIdentity(session, signal);
    const [parameters, datacenters] = await Promise.all([
      session.parameters(signal),
      session.driver.datacenters(signal),
    ]);
    const terms = desiredInfrastructures(args, parameters);
    const quotes = await askQuotes(session.driver, terms, datacenters, signal);
    const outputs = Object.entries(terms).map(([name, one]): readonly [string, ValueMap] => [
      name,
      infrastructureOutput(one, quotes[name] ?? { bids: [], refusals: [] }, datacenters, parameters),
    ]);
    const cheapest = Object.keys(terms).map((name) => quotes[name]?.bids[0]?.rate);
    const sum = cheapest.reduce<bigint | undefined>(
      (total, rate) => (total === undefined || rate === undefined ? undefined : total + rate),
      0n,
    );
    const most = Object.values(terms).reduce((total, one) => total + highestRate(one), 0n);
    return {
      infrastructures: Object.fromEntries(outputs),
      fillable: sum !== undefined,
      ...(sum === undefined ? {} : { cost: costOutputs(sum, parameters) }),
      highest: costOutputs(most, parameters),
    };
  },
};

function infrastructureOutput(
  terms: Terms,
  { bids, refusals }: Quotes,
  datacenters: readonly DatacenterRecord[],
  parameters: NetworkParameters,
): ValueMap {
  const { name } = naming(parameters, datacenters);
  const place = (datacenter: string): ValueMap => ({
    datacenter,
    name: name(datacenter),
    region: datacenters.find(({ address }) => address === datacenter)?.region ?? "",
  });
  const [cheapest] = bids;
  return {
    bids: bids.map(({ datacenter, rate }) => ({ ...place(datacenter), cost: costOutputs(rate, parameters) })),
    refusals: refusals.map(({ datacenter, reason, message, rate }) => ({
      ...place(datacenter),
      reason,
      message,
      ...(rate === undefined ? {} : { cost: costOutputs(rate, parameters) }),
    })),
    ...(cheapest === undefined ? {} : { cost: costOutputs(cheapest.rate, parameters) }),
    highest: costOutputs(highestRate(terms), parameters),
  };
}
