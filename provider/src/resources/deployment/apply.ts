import { type DeploymentKey, type NetworkDriver, NetworkError, type TransactionResult } from "../../network/driver";
import type { Envelope } from "../../network/snapshot";
import type { Plan } from "../../plan/plan";

/**
 * Runs the steps of a plan up to its transaction, and returns that transaction's outcome. What the plan delivers
 * afterwards is handed over while its leases are awaited. Throws before anything is sent where staging fails.
 */
export async function applyPlan(
  driver: NetworkDriver,
  plan: Plan,
  envelope: Envelope | undefined,
  status: (line: string) => void,
  signal: AbortSignal,
  /** Called right before the transaction is signed; what it throws ends the plan there. */
  beforeSigning: () => void = () => {},
): Promise<TransactionResult | undefined> {
  let result: TransactionResult | undefined;
  for (const step of plan.steps) {
    if (step.kind === "stage") {
      const deployment = deploymentOf(plan);
      if (envelope === undefined || deployment === undefined) {
        throw new Error("a plan that stages a manifest names its deployment and has that manifest");
      }
      status("handing the next manifest to the datacenters that run this deployment");
      await stage(driver, deployment, step.holders, envelope, signal);
    } else if (step.kind === "transaction") {
      beforeSigning();
      status("waiting for the transaction to be in a block");
      result = await driver.submit(step.transaction, signal);
    }
  }
  return result;
}

/** At least one holder must take it: a version that nobody has could not be fetched by anybody. */
async function stage(
  driver: NetworkDriver,
  deployment: { readonly tenant: string; readonly sequence: bigint },
  holders: readonly string[],
  envelope: Envelope,
  signal: AbortSignal,
): Promise<void> {
  const outcomes = await handToAll(driver, deployment, holders, envelope, signal);
  signal.throwIfAborted();
  if (outcomes.some((problem) => problem === undefined)) {
    return;
  }
  const why = outcomes.map((problem) => problem ?? "");
  throw new NetworkError(
    "unreachable",
    `None of the ${holders.length} datacenters that hold a lease takes the new manifest, so nothing was sent:\n` +
      `${why.map((line) => `  ${line}`).join("\n")}\nTry again when one of them answers.`,
  );
}

/** Milliseconds that the others have once one holder has taken the manifest: one that is down holds nobody up. */
const GRACE = 2000;

/**
 * Hands a manifest to all of these holders, and returns for each what went wrong, or `undefined` where it took it.
 * Those that are late fetch it from the others.
 */
export async function handToAll(
  driver: NetworkDriver,
  deployment: DeploymentKey,
  holders: readonly string[],
  envelope: Envelope,
  signal: AbortSignal,
): Promise<readonly (string | undefined)[]> {
  const late = new AbortController();
  const bounded = AbortSignal.any([signal, late.signal]);
  let timer: NodeJS.Timeout | undefined;
  const outcomes = await Promise.all(
    holders.map(async (holder) => {
      try {
        await driver.handManifest(deployment, holder, envelope, bounded);
        timer ??= setTimeout(() => late.abort(), GRACE);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    }),
  );
  clearTimeout(timer);
  return outcomes;
}

function deploymentOf(plan: Plan): { readonly tenant: string; readonly sequence: bigint } | undefined {
  for (const step of plan.steps) {
    if (step.kind === "transaction" && step.transaction.kind === "update-deployment") {
      return step.transaction.deployment;
    }
  }
  return undefined;
}
