import type { DatacenterRecord } from "../../network/driver";
import type { ValueMap } from "../../wire/value";
import { plainTexts } from "../inputs/desired";
import { anyText, choice, map } from "../inputs/shape";
import type { ProviderFunctionRules } from "./arguments";
import { presentIdentity } from "./deployment-argument";

/** Datacenters as the chain has them, sorted by region and name. */
export const getDatacenters: ProviderFunctionRules = {
  token: "dcx:index:getDatacenters",
  fields: {
    region: { shape: anyText, absent: "" },
    attributes: { shape: map(anyText, () => {}), absent: {} },
    isolation: { shape: choice("container", "sandbox", "none") },
  },
  async answer(session, args, { signal }): Promise<ValueMap> {
    await presentIdentity(session, signal);
    const { region, isolation } = args;
    const wanted = plainTexts(args["attributes"]);
    const found = (await session.driver.datacenters(signal)).filter(
      (one) =>
        (region === undefined || one.region === region) &&
        (isolation === undefined || one.attributes["isolation"] === isolation) &&
        Object.entries(wanted).every(([key, value]) => one.attributes[key] === value),
    );
    return { datacenters: [...found].sort(byPlace).map(datacenterOutput) };
  },
};

function datacenterOutput({ address, name, region, attributes }: DatacenterRecord): ValueMap {
  return { address, name, region, attributes: { ...attributes }, isolation: attributes["isolation"] ?? "" };
}

function byPlace(a: DatacenterRecord, b: DatacenterRecord): number {
  const key = ({ region, name, address }: DatacenterRecord): string => `${region}\0${name}\0${address}`;
  return key(a) < key(b) ? -1 : 1;
}
