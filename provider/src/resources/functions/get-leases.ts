import { formatTokens, orderKey } from "@dcx/protocol";
import { naming } from "../../await/conditions";
import type { LeaseRecord } from "../../network/driver";
import type { ValueMap } from "../../wire/value";
import { choice } from "../inputs/shape";
import type { ProviderFunctionRules } from "./arguments";
import { costOutputs } from "./cost";
import { idOf, onlyOne, presentIdentity, recordsArgument, recordsFields } from "./deployment-argument";

const STATES = ["active", "closed", "broken"] as const;

/** Leases with what has been paid and is bound for them. */
export const getLeases: ProviderFunctionRules = {
  token: "dcx:index:getLeases",
  fields: { ...recordsFields, state: { shape: choice(...STATES, "all"), absent: "active" } },
  whole: onlyOne,
  async answer(session, args, { signal }): Promise<ValueMap> {
    const { chain } = await presentIdentity(session, signal);
    const of = await recordsArgument(session, args, signal);
    const wanted = STATES.filter((state) => args["state"] === "all" || state === (args["state"] ?? "active"));
    const [parameters, datacenters, ...found] = await Promise.all([
      session.parameters(signal),
      session.driver.datacenters(signal),
      ...wanted.map((state) => session.driver.leases(of, state, signal)),
    ]);
    const { name } = naming(parameters, datacenters);
    const output = (record: LeaseRecord): ValueMap => ({
      id: orderKey(record),
      deploymentId: idOf(chain, record),
      infrastructure: record.infrastructure,
      generation: record.generation,
      state: record.state,
      datacenter: record.lease.datacenter,
      name: name(record.lease.datacenter),
      region: record.lease.region,
      attributes: { ...record.lease.attributes },
      cost: costOutputs(record.lease.rate, parameters),
      rentPaid: formatTokens(record.rentPaid),
      deposit: formatTokens(record.deposit),
      collateral: formatTokens(record.collateral),
      startHeight: Number(record.lease.startHeight),
      lastConfirmedHeight: Number(record.lastConfirmedHeight),
      ...(record.lease.confirmedVersion === undefined ? {} : { confirmedVersion: record.lease.confirmedVersion }),
      ...(record.closedHeight === undefined ? {} : { closedHeight: Number(record.closedHeight) }),
      ...(record.reason === undefined ? {} : { reason: record.reason }),
    });
    return { leases: found.flat().map(output) };
  },
};
