import { costPerMonth, formatCpu, formatRatePerHour, formatSize, formatTokens } from "@dcx/protocol";
import type { NetworkIdentity, NetworkParameters } from "../network/driver";
import type { ActualDeployment, ResourceGroup, Terms } from "../network/snapshot";
import type { Consequence, Plan } from "./plan";

export interface RenderContext {
  /** Absent: there is no network yet. */
  readonly identity: NetworkIdentity | undefined;
  readonly parameters: NetworkParameters;
  /** Micro-units. */
  readonly fees: bigint | undefined;
  readonly deployment?: ActualDeployment;
  /** How a datacenter is called. */
  readonly name?: (datacenter: string) => string;
  /** What becomes of workloads and connections, by name. */
  readonly entries?: readonly (readonly [name: string, text: string])[];
}

/** A plan as a person reads it in a preview: what happens to each infrastructure, the transactions, the cost. */
export function renderPlan(plan: Plan, context: RenderContext): string {
  const { parameters } = context;
  const called = context.name ?? short;
  const changed = plan.consequences.filter(({ outcome }) => outcome !== "unchanged");
  const entries = context.entries ?? [];
  const first = Math.max(
    0,
    ...[...changed.map((one) => one.infrastructure), ...entries.map(([name]) => name)].map(length),
  );
  const second = Math.max(0, ...changed.map((one) => changeText(one, parameters)).map(length));
  const lines = changed.flatMap((one) => [
    `${one.infrastructure.padEnd(first)}   ${changeText(one, parameters).padEnd(second)}   ${consequenceText(one, parameters, called)}`.trimEnd(),
    ...volumeLines(one, first),
  ]);
  const below = entries.map(([name, text]) => `${name.padEnd(first)}   ${text}`);
  return [headline(context), ...lines, ...below, summary(plan, context)].join("\n");
}

function headline({ identity, deployment }: RenderContext): string {
  const where =
    identity === undefined
      ? "the embedded network, which the first create starts"
      : `${identity.network} ${identity.chain} · tenant ${short(identity.tenant)}`;
  return deployment === undefined
    ? `${where} · a new deployment`
    : `${where} · deployment ${deployment.sequence}, revision ${deployment.revision}`;
}

function summary(plan: Plan, { parameters, fees }: RenderContext): string {
  const names = plan.steps.flatMap((step) =>
    step.kind === "transaction" ? [TRANSACTIONS[step.transaction.kind]] : [],
  );
  const count =
    names.length === 0
      ? "no transaction"
      : `${names.length} ${names.length === 1 ? "transaction" : "transactions"}: ${names.join(", ")}`;
  const fee = fees === undefined ? "" : ` (fee about ${formatTokens(fees)})`;
  const month = (rate: bigint): string => rounded(costPerMonth(rate, parameters.blockInterval));
  const cost =
    plan.costNow === plan.costThen
      ? `cost ${month(plan.costNow)} a month, as now`
      : plan.costNow === 0n
        ? `cost at most ${month(plan.costThen)} a month`
        : `cost ${month(plan.costNow)} → ${plan.costThen === 0n ? "nothing" : `at most ${month(plan.costThen)} a month`}`;
  return `${count}${fee}    ${cost}`;
}

const TRANSACTIONS = {
  "submit-deployment": "SubmitDeployment",
  "update-deployment": "UpdateDeployment",
  "cancel-deployment": "CancelDeployment",
} as const;

function length(text: string): number {
  return text.length;
}

function consequenceText(
  { outcome, lease }: Consequence,
  parameters: NetworkParameters,
  called: (datacenter: string) => string,
): string {
  const rate = lease === undefined ? "" : formatRatePerHour(lease.rate, parameters.blockInterval);
  const holder = lease === undefined ? "" : `the lease with datacenter ${called(lease.datacenter)}`;
  switch (outcome) {
    case "opens":
      return "opens an order";
    case "closes":
      return lease === undefined ? "closes its order" : `closes; ${holder} ends`;
    case "in-place":
      return `in place; ${holder} keeps ${rate}`;
    case "reprices-order":
      return "in place; the open order and its bids stay";
    case "reopens-order":
      return "closes the open order and opens another";
    case "replaces-lease":
      return `new order; ${holder} runs until its successor serves`;
    case "unchanged":
      return "";
  }
}

function changeText({ before, after }: Consequence, parameters: NetworkParameters): string {
  if (after === undefined) {
    return "removed";
  }
  if (before === undefined) {
    return after.resources.map((group) => groupText(group, parameters)).join("; ");
  }
  const changes = [...placeChanges(before, after)];
  for (let index = 0; index < Math.max(before.resources.length, after.resources.length); index++) {
    changes.push(...groupChanges(before.resources[index], after.resources[index], parameters));
  }
  return changes.length === 0 ? "again" : changes.join(", ");
}

function placeChanges(before: Terms, after: Terms): readonly string[] {
  const list = (values: readonly string[]): string => values.map(short).join(" ");
  const attributes = (terms: Terms): string =>
    Object.entries(terms.attributes)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(" ");
  return [
    ...arrow("region", before.region || "any", after.region || "any"),
    ...arrow("attributes", attributes(before) || "none", attributes(after) || "none"),
    ...arrow("allowed", list(before.allowedDatacenters) || "all", list(after.allowedDatacenters) || "all"),
    ...arrow("denied", list(before.deniedDatacenters) || "none", list(after.deniedDatacenters) || "none"),
    ...arrow("persist", String(before.persist), String(after.persist)),
  ];
}

function groupChanges(
  before: ResourceGroup | undefined,
  after: ResourceGroup | undefined,
  parameters: NetworkParameters,
): readonly string[] {
  if (before === undefined || after === undefined) {
    return before === after
      ? []
      : [after === undefined ? "one group less" : `one group more: ${groupText(after, parameters)}`];
  }
  const price = (group: ResourceGroup): string => formatRatePerHour(group.price, parameters.blockInterval);
  const gpu = (group: ResourceGroup): string =>
    group.gpu === undefined ? "none" : `${group.gpu.count} ${group.gpu.vendor} ${group.gpu.model}`.trim();
  return [
    ...arrow("cpu", formatCpu(before.cpu), formatCpu(after.cpu)),
    ...arrow("memory", formatSize(before.memory), formatSize(after.memory)),
    ...arrow("disk", formatSize(before.disk), formatSize(after.disk)),
    ...arrow("gpu", gpu(before), gpu(after)),
    ...arrow("count", String(before.count), String(after.count)),
    ...arrow("maximum price", price(before).replace("/h", ""), price(after)),
    ...arrow("collateral", formatTokens(before.collateral), formatTokens(after.collateral)),
  ];
}

function arrow(what: string, before: string, after: string): readonly string[] {
  return before.replace("/h", "") === after.replace("/h", "") ? [] : [`${what} ${before} → ${after}`];
}

function groupText(group: ResourceGroup, parameters: NetworkParameters): string {
  return (
    `${group.count} × ${formatCpu(group.cpu)} cpu, ${formatSize(group.memory)}, ${formatSize(group.disk)} disk ` +
    `at most ${formatRatePerHour(group.price, parameters.blockInterval)}`
  );
}

function volumeLines(consequence: Consequence, indent: number): readonly string[] {
  return consequence.volumes.length === 0
    ? []
    : [`${" ".repeat(indent)}   ends with the old lease: volume ${consequence.volumes.join(", ")}`];
}

/** Tokens to two places, rounded up. */
function rounded(microUnits: bigint): string {
  const cents = (microUnits + 9_999n) / 10_000n;
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

function short(address: string): string {
  return address.length <= 14 ? address : `${address.slice(0, 6)}…${address.slice(-2)}`;
}
