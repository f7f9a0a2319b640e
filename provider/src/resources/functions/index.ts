import type { ValueMap } from "../../wire/value";
import type { CallContext } from "../resource";
import type { Session } from "../session";
import { normalArguments, type ProviderFunctionRules } from "./arguments";

export type ResourceFunction = (args: ValueMap, context: CallContext) => Promise<ValueMap>;

/** Loaded when the first of them is called: most programs call none, and none is needed for a preview of resources. */
const functions: Readonly<Record<string, () => Promise<ProviderFunctionRules>>> = {
  getBalance: async () => (await import("./get-balance.js")).getBalance,
  getDatacenters: async () => (await import("./get-datacenters.js")).getDatacenters,
  getDeployment: async () => (await import("./get-deployment.js")).getDeployment,
  getLeases: async () => (await import("./get-leases.js")).getLeases,
  getOrders: async () => (await import("./get-orders.js")).getOrders,
  getQuote: async () => (await import("./get-quote.js")).getQuote,
  getVersion: async () => (await import("./get-version.js")).getVersion,
};

/** The functions of the package by token, all on one session. */
export function functionsOn(session: Session): ReadonlyMap<string, ResourceFunction> {
  return new Map(
    Object.entries(functions).map(([name, load]) => [
      `dcx:index:${name}`,
      async (args: ValueMap, context: CallContext): Promise<ValueMap> => {
        const rules = await load();
        return rules.answer(session, normalArguments(rules, args), context);
      },
    ]),
  );
}
