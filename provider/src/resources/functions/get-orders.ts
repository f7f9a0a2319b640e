import { orderKey } from "@dcx/protocol";
import { naming } from "../../await/conditions";
import type { OrderRecord } from "../../network/driver";
import { highestRate } from "../../plan/plan-deployment";
import type { ValueMap } from "../../wire/value";
import { choice } from "../inputs/shape";
import type { ProviderFunctionRules } from "./arguments";
import { costOutputs } from "./cost";
import { idOf, onlyOne, presentIdentity, recordsArgument, recordsFields } from "./deployment-argument";

const STATES = ["open", "matched", "closed"] as const;

/** Orders and the offers on those that are open. */
export const getOrders: ProviderFunctionRules = {
  token: "dcx:index:getOrders",
  fields: { ...recordsFields, state: { shape: choice(...STATES, "all"), absent: "open" } },
  whole: onlyOne,
  async answer(session, args, { signal }): Promise<ValueMap> {
    const { chain } = await presentIdentity(session, signal);
    const of = await recordsArgument(session, args, signal);
    const wanted = STATES.filter((state) => args["state"] === "all" || state === (args["state"] ?? "open"));
    const [parameters, datacenters, ...found] = await Promise.all([
      session.parameters(signal),
      session.driver.datacenters(signal),
      ...wanted.map((state) => session.driver.orders(of, state, signal)),
    ]);
    const { name } = naming(parameters, datacenters);
    const output = (order: OrderRecord): ValueMap => ({
      id: orderKey(order),
      deploymentId: idOf(chain, order),
      infrastructure: order.infrastructure,
      generation: order.generation,
      state: order.state,
      region: order.terms.region,
      highest: costOutputs(highestRate(order.terms), parameters),
      offers: order.offers.map(({ datacenter, rate }) => ({
        datacenter,
        name: name(datacenter),
        cost: costOutputs(rate, parameters),
      })),
      openedHeight: Number(order.openedHeight),
      dueHeight: Number(order.dueHeight),
      replaces: order.replaces,
      ...(order.reason === undefined ? {} : { reason: order.reason }),
    });
    return { orders: found.flat().map(output) };
  },
};
