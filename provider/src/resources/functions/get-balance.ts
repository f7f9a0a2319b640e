import { formatTokens } from "@dcx/protocol";
import type { ValueMap } from "../../wire/value";
import { anyText } from "../inputs/shape";
import type { ProviderFunctionRules } from "./arguments";
import { presentIdentity } from "./deployment-argument";

/** What an account has that is not bound in deposits or collateral. */
export const getBalance: ProviderFunctionRules = {
  token: "dcx:index:getBalance",
  fields: { address: { shape: anyText } },
  async answer(session, args, { signal }): Promise<ValueMap> {
    const { tenant } = await presentIdentity(session, signal);
    const address = typeof args["address"] === "string" ? args["address"] : tenant;
    const [balance, { denomination }] = await Promise.all([
      session.driver.balance(address, signal),
      session.parameters(signal),
    ]);
    return { address, balance: formatTokens(balance), microUnits: String(balance), denomination };
  },
};
