import {
  costPerHour,
  costPerMonth,
  formatRate,
  formatRatePerBlock,
  formatRatePerHour,
  formatTokens,
  resourceIdText,
} from "@dcx/protocol";
import type { NetworkIdentity, NetworkParameters } from "../network/driver";
import type { ActualDeployment } from "../network/snapshot";
import type { EntryChange } from "./describe-entries";
import { describeManagers, describeTerms, shortened } from "./describe-terms";
import { offerText, type Quotes } from "./offers";
import type { Consequence, Plan } from "./plan";

/**
 * A plan as programs read it; people read the same by `renderReport`. Stable: fields are added, and none is renamed or
 * removed without raising `format` (docs/reference/plan.md). Amounts are texts: tokens where not said otherwise.
 */
export interface PlanReport {
  readonly format: 1;
  /** Absent: there is none yet, and the first create would start the embedded one. */
  readonly network: { readonly kind: string; readonly chain: string; readonly tenant: string } | null;
  /** Absent: a new one. */
  readonly deployment: { readonly id: string; readonly sequence: string; readonly revision: string } | null;
  /** Fields that differ, by path. Of a new deployment none. */
  readonly changes: readonly { readonly path: string; readonly kind: string }[];
  readonly infrastructures: readonly InfrastructureReport[];
  readonly entries: readonly EntryReport[];
  readonly waitDuration: { readonly before: string; readonly after: string } | null;
  readonly managers: string | null;
  /** In the order in which they are sent. */
  readonly transactions: readonly { readonly kind: string; readonly fee: string | null }[];
  readonly orders: { readonly open: number; readonly close: number };
  readonly leases: { readonly move: number; readonly close: number };
  readonly cost: { readonly now: CostReport; readonly after: CostReport };
  /** SHA-256 of the manifest; absent where it is not known: that of a new deployment is salted with something new. */
  readonly version: { readonly before: string | null; readonly after: string | null };
  /** What could not be told, and why. */
  readonly notes: readonly string[];
}

export interface InfrastructureReport {
  readonly name: string;
  readonly outcome: Consequence["outcome"];
  readonly changes: readonly string[];
  readonly text: string;
  readonly opensOrder: boolean;
  readonly closesOrder: boolean;
  /** The lease that runs now, and what becomes of it. */
  readonly lease: {
    readonly datacenter: string;
    readonly name: string;
    readonly cost: CostReport;
    readonly outcome: "stays" | "moves" | "closes";
  } | null;
  /** A lease that was about to replace it, and ends. */
  readonly successorCloses: boolean;
  readonly volumesLost: readonly string[];
  /** Of an order that opens: who would serve it at this moment. Absent: nobody was asked. */
  readonly offers: OffersReport | null;
}

interface OffersReport {
  readonly text: string;
  /** The cheapest first. */
  readonly bids: readonly { readonly datacenter: string; readonly name: string; readonly cost: CostReport }[];
  readonly refusals: readonly {
    readonly datacenter: string;
    readonly name: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

interface EntryReport {
  readonly kind: "workload" | "connection";
  readonly name: string;
  readonly action: EntryChange["action"];
  readonly text: string;
  readonly image: string | null;
  /** What the image's tag stands for, where its registry said so. */
  readonly imageDigest: string | null;
}

interface CostReport {
  readonly rate: string;
  readonly perBlock: string;
  readonly perHour: string;
  readonly perMonth: string;
}

export interface ReportContext {
  /** Absent: there is no network yet. */
  readonly identity: NetworkIdentity | undefined;
  readonly parameters: NetworkParameters;
  /** Micro-units of each transaction, in order; absent where it could not be tried. */
  readonly fees: readonly (bigint | undefined)[];
  readonly deployment?: ActualDeployment | undefined;
  /** How a datacenter is called. */
  readonly name?: ((datacenter: string) => string) | undefined;
  readonly entries?: readonly EntryChange[] | undefined;
  readonly digests?: ReadonlyMap<string, string> | undefined;
  /** By infrastructure. */
  readonly offers?: Readonly<Record<string, Quotes>> | undefined;
  readonly changes?: PlanReport["changes"] | undefined;
  readonly version?: PlanReport["version"] | undefined;
  readonly notes?: readonly string[] | undefined;
}

const TRANSACTIONS = {
  "submit-deployment": "SubmitDeployment",
  "update-deployment": "UpdateDeployment",
  "cancel-deployment": "CancelDeployment",
} as const;

/** Orders that an outcome opens, and whether it closes the one that is open. */
const ORDERS: Readonly<Record<Consequence["outcome"], { readonly opens: boolean; readonly closes: boolean }>> = {
  opens: { opens: true, closes: false },
  closes: { opens: false, closes: true },
  "in-place": { opens: false, closes: true },
  "reprices-order": { opens: false, closes: false },
  "reopens-order": { opens: true, closes: true },
  "replaces-lease": { opens: true, closes: true },
  unchanged: { opens: false, closes: false },
};

const LEASES: Readonly<Record<Consequence["outcome"], "stays" | "moves" | "closes">> = {
  opens: "stays",
  closes: "closes",
  "in-place": "stays",
  "reprices-order": "stays",
  "reopens-order": "stays",
  "replaces-lease": "moves",
  unchanged: "stays",
};

export function reportPlan(plan: Plan, context: ReportContext): PlanReport {
  const { identity, deployment, parameters } = context;
  const infrastructures = plan.consequences
    .filter(({ outcome }) => outcome !== "unchanged")
    .map((one) => infrastructureReport(one, context));
  const kinds = plan.steps.flatMap((step) =>
    step.kind === "transaction" ? [TRANSACTIONS[step.transaction.kind]] : [],
  );
  const count = (which: (one: InfrastructureReport) => boolean): number => infrastructures.filter(which).length;
  const { wait, managers } = plan;
  return {
    format: 1,
    network: identity === undefined ? null : { kind: identity.network, chain: identity.chain, tenant: identity.tenant },
    deployment:
      deployment === undefined || identity === undefined
        ? null
        : {
            id: resourceIdText({ chain: identity.chain, tenant: deployment.tenant, sequence: deployment.sequence }),
            sequence: String(deployment.sequence),
            revision: String(deployment.revision),
          },
    changes: context.changes ?? [],
    infrastructures,
    entries: (context.entries ?? []).map(({ kind, name, action, text, image }) => ({
      kind: kind === "workloads" ? "workload" : "connection",
      name,
      action,
      text,
      image: image ?? null,
      imageDigest: (image === undefined ? undefined : context.digests?.get(image)) ?? null,
    })),
    waitDuration: wait === undefined ? null : { before: String(wait.before), after: String(wait.after) },
    managers: managers === undefined ? null : describeManagers(managers.before, managers.after),
    transactions: kinds.map((kind, index) => {
      const fee = context.fees[index];
      return { kind, fee: fee === undefined ? null : formatTokens(fee) };
    }),
    orders: { open: count(({ opensOrder }) => opensOrder), close: count(({ closesOrder }) => closesOrder) },
    leases: {
      move: count(({ lease }) => lease?.outcome === "moves"),
      close: count(({ lease }) => lease?.outcome === "closes") + count(({ successorCloses }) => successorCloses),
    },
    cost: { now: costReport(plan.costNow, parameters), after: costReport(plan.costThen, parameters) },
    version: context.version ?? { before: deployment?.version ?? null, after: null },
    notes: context.notes ?? [],
  };
}

function costReport(rate: bigint, { blockInterval }: NetworkParameters): CostReport {
  return {
    rate: formatRate(rate, blockInterval),
    perBlock: formatRatePerBlock(rate),
    perHour: formatTokens(costPerHour(rate, blockInterval)),
    perMonth: formatTokens(costPerMonth(rate, blockInterval)),
  };
}

function infrastructureReport(consequence: Consequence, context: ReportContext): InfrastructureReport {
  const { infrastructure, outcome, before, after, lease, order, successor, volumes } = consequence;
  const { parameters, name = shortened } = context;
  return {
    name: infrastructure,
    outcome,
    changes: describeTerms(before, after, parameters),
    text: outcomeText(consequence, parameters, name),
    opensOrder: ORDERS[outcome].opens,
    closesOrder: order !== undefined && ORDERS[outcome].closes,
    lease:
      lease === undefined
        ? null
        : {
            datacenter: lease.datacenter,
            name: name(lease.datacenter),
            cost: costReport(lease.rate, parameters),
            outcome: LEASES[outcome],
          },
    successorCloses: successor !== undefined,
    volumesLost: volumes,
    offers: offersReport(consequence, context),
  };
}

function offersReport(
  { infrastructure, after }: Consequence,
  { offers = {}, parameters, name = shortened }: ReportContext,
): OffersReport | null {
  const quotes = Object.hasOwn(offers, infrastructure) ? offers[infrastructure] : undefined;
  if (quotes === undefined || after === undefined) {
    return null;
  }
  return {
    text: offerText(quotes, after, name, parameters.blockInterval),
    bids: quotes.bids.map(({ datacenter, rate }) => ({
      datacenter,
      name: name(datacenter),
      cost: costReport(rate, parameters),
    })),
    refusals: quotes.refusals.map(({ datacenter, reason, message }) => ({
      datacenter,
      name: name(datacenter),
      reason,
      message,
    })),
  };
}

function outcomeText(
  { outcome, lease, order, successor }: Consequence,
  parameters: NetworkParameters,
  called: (datacenter: string) => string,
): string {
  const rate = lease === undefined ? "" : formatRatePerHour(lease.rate, parameters.blockInterval);
  const holder = lease === undefined ? "" : `the lease with datacenter ${called(lease.datacenter)}`;
  const pending =
    successor === undefined
      ? order === undefined
        ? ""
        : "; closes the order that was to replace it"
      : `; ends the lease with ${called(successor.datacenter)} that was to replace it`;
  switch (outcome) {
    case "opens":
      return "opens an order";
    case "closes":
      return lease === undefined ? "closes its order" : `closes; ${holder} ends`;
    case "in-place":
      return `in place; ${holder} keeps ${rate}${pending}`;
    case "reprices-order":
      return "in place; the open order and its bids stay";
    case "reopens-order":
      return "closes the open order and opens another";
    case "replaces-lease":
      return `new order; ${holder} runs until its successor serves${pending}`;
    case "unchanged":
      return "";
  }
}
