import { shortened } from "./describe-terms";
import type { Plan } from "./plan";
import { type InfrastructureReport, type PlanReport, type ReportContext, reportPlan } from "./report";

/** A plan as a person reads it in a preview. */
export function renderPlan(plan: Plan, context: ReportContext): string {
  return renderReport(reportPlan(plan, context));
}

/**
 * What happens to each infrastructure, workload and connection, the transactions with their fees, what opens, moves and
 * closes, and the cost now and then.
 */
export function renderReport(report: PlanReport): string {
  const { infrastructures, entries } = report;
  const first = Math.max(0, ...[...infrastructures, ...entries].map(({ name }) => name.length));
  const second = Math.max(0, ...infrastructures.map((one) => changesText(one).length));
  const lines = infrastructures.flatMap((one) => [
    `${one.name.padEnd(first)}   ${changesText(one).padEnd(second)}   ${one.text}`.trimEnd(),
    ...(one.offers === null ? [] : [`${" ".repeat(first)}   ${one.offers.text}`]),
    ...(one.volumesLost.length === 0
      ? []
      : [`${" ".repeat(first)}   ends with the old lease: volume ${one.volumesLost.join(", ")}`]),
  ]);
  return [
    headline(report),
    ...lines,
    ...entries.map(({ name, text }) => `${name.padEnd(first)}   ${text}`),
    ...settings(report),
    summary(report),
    ...report.notes,
  ].join("\n");
}

function headline({ network, deployment }: PlanReport): string {
  const where =
    network === null
      ? "the embedded network, which the first create starts"
      : `${network.kind} ${network.chain} · tenant ${shortened(network.tenant)}`;
  return deployment === null
    ? `${where} · a new deployment`
    : `${where} · deployment ${deployment.sequence}, revision ${deployment.revision}`;
}

function changesText({ changes, outcome }: InfrastructureReport): string {
  return changes.join(outcome === "opens" ? "; " : ", ");
}

/** What belongs to the deployment as a whole. */
function settings({ waitDuration, managers, version }: PlanReport): readonly string[] {
  const { before, after } = version;
  const versions = before !== null && after !== null && before !== after ? [before, after] : [];
  return [
    ...(waitDuration === null ? [] : [`orders wait ${waitDuration.before} → ${waitDuration.after} blocks`]),
    ...(managers === null ? [] : [`managers ${managers}`]),
    ...(versions.length === 0 ? [] : [`version ${versions.map((one) => `${one.slice(0, 12)}…`).join(" → ")}`]),
  ];
}

function summary(report: PlanReport): string {
  return [`${transactionsText(report)}${becomesText(report)}`, costText(report)].join("    ");
}

function transactionsText({ transactions }: PlanReport): string {
  if (transactions.length === 0) {
    return "no transaction";
  }
  const each = transactions.map(({ kind, fee }) => (fee === null ? kind : `${kind} (fee about ${fee})`)).join(", ");
  return `${counted(transactions.length, "transaction")}: ${each}`;
}

function becomesText({ orders, leases }: PlanReport): string {
  const parts = [
    ...(orders.open === 0 ? [] : [`${counted(orders.open, "order")} ${orders.open === 1 ? "opens" : "open"}`]),
    ...(orders.close === 0 ? [] : [`${counted(orders.close, "order")} ${orders.close === 1 ? "closes" : "close"}`]),
    ...(leases.move === 0 ? [] : [`${counted(leases.move, "lease")} ${leases.move === 1 ? "moves" : "move"}`]),
    ...(leases.close === 0 ? [] : [`${counted(leases.close, "lease")} ${leases.close === 1 ? "closes" : "close"}`]),
  ];
  return parts.length === 0 ? "" : `; ${parts.join(", ")}`;
}

function costText({ cost: { now, after } }: PlanReport): string {
  const [was, is] = [month(now.perMonth), month(after.perMonth)];
  const [block, blockAfter] = [blockText(now.perBlock), blockText(after.perBlock)];
  if (now.rate === after.rate) {
    return `cost ${was} a month (${block} a block), as now`;
  }
  if (Number(now.perMonth) === 0) {
    return `cost at most ${is} a month (${blockAfter} a block)`;
  }
  return Number(after.perMonth) === 0
    ? `cost ${was} → nothing`
    : `cost ${was} → at most ${is} a month (${block} → ${blockAfter} a block)`;
}

function counted(number: number, what: string): string {
  return `${number} ${number === 1 ? what : `${what}s`}`;
}

/** Tokens to two places, rounded up. */
function month(tokens: string): string {
  const [whole = "0", decimals = ""] = tokens.split(".");
  const more = /[1-9]/.test(decimals.slice(2)) ? 1n : 0n;
  const cents = BigInt(`${whole}${decimals.slice(0, 2).padEnd(2, "0")}`) + more;
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

/** Micro-units to two places, rounded up. */
function blockText(price: string): string {
  const digits = price.replace("u/block", "");
  const rounded = month(digits);
  return `${rounded.replace(/\.?0+$/, "") || "0"}u`;
}
