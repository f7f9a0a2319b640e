import type { DatacenterRecord } from "../../network/driver";
import { offeredTerms, type Quotes } from "../../plan/offers";
import type { Consequence } from "../../plan/plan";
import { askQuotes, ruledOut } from "../ask-quotes";
import type { Session } from "../session";

/** Milliseconds that a preview waits for a datacenter's answer. */
const PATIENCE = 1500;

/**
 * What datacenters would ask for the orders that a plan opens, or why they would not bid, by infrastructure. It changes
 * nothing about the plan, so a preview of many deployments asks for the first of them only: the session's budget.
 */
export async function foreseeOffers(
  session: Session,
  consequences: readonly Consequence[],
  datacenters: readonly DatacenterRecord[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, Quotes>>> {
  const terms = offeredTerms(consequences);
  const questions = Object.values(terms).reduce(
    (sum, one) => sum + datacenters.filter((datacenter) => ruledOut(one, datacenter) === undefined).length,
    0,
  );
  if (datacenters.length === 0 || !session.spendQuestions(questions)) {
    return {};
  }
  return askQuotes(session.driver, terms, datacenters, signal, PATIENCE);
}
