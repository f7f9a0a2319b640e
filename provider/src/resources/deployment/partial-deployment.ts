import { spanText, WaitCancelled, WaitFailed, WaitTimeout } from "../../await/wait";
import type { ValueMap } from "../../wire/value";
import { NONCE } from "../entries/ownership";
import { PartialFailure } from "../resource";
import type { Operation } from "./operation";
import { deploymentOutputs } from "./outputs";
import { importedNonce } from "./take-over";
import { whyNoLease } from "./why-no-lease";

/** What exists though the call failed: with its id and reasons, so that the next `up` goes on from there. */
export async function partialDeployment(
  operation: Operation,
  error: unknown,
  oldState?: ValueMap,
): Promise<PartialFailure> {
  const { session, id, key, inputs, deadline } = operation;
  const reasons: string[] = [];
  const after = spanText(deadline.milliseconds);
  if (error instanceof WaitTimeout) {
    const unfilled = await whyNoLease(session.driver, key, id, after).catch(() => []);
    const others = unfilled.length > 0 ? error.reasons.filter((one) => !/has bid|answered/.test(one)) : error.reasons;
    reasons.push(...unfilled, ...others.map((one) => (unfilled.length > 0 ? one : `not done after ${after}: ${one}`)));
  } else if (error instanceof WaitCancelled) {
    reasons.push("cancelled; `pulumi up` goes on from here", ...error.reasons);
  } else if (error instanceof WaitFailed) {
    reasons.push(...error.reasons.map((one) => `${one}. \`pulumi up\` opens a new order where one is missing.`));
  } else {
    reasons.push(error instanceof Error ? error.message : String(error));
  }
  const nonce = importedNonce(oldState);
  // An import that could not be taken over yet is one still.
  const kept = nonce === undefined ? {} : { [NONCE]: nonce };
  return new PartialFailure(id, { ...(await stateSoFar(operation)), ...kept }, reasons, inputs);
}

async function stateSoFar({ session, id, key, inputs }: Operation): Promise<ValueMap> {
  const signal = AbortSignal.timeout(5000);
  try {
    const parameters = await session.driver.parameters(signal);
    const { deployment } = await session.driver.snapshot(key, signal);
    return deployment === undefined
      ? { ...inputs, deploymentId: id }
      : { ...inputs, ...deploymentOutputs(id, deployment, parameters) };
  } catch {
    // Its outputs are read at the next refresh; the id is what must not be lost.
    return { ...inputs, deploymentId: id };
  }
}

/** Whether a wait ended before what it waited for was there. */
export function isWait(error: unknown): boolean {
  return error instanceof WaitTimeout || error instanceof WaitCancelled || error instanceof WaitFailed;
}
