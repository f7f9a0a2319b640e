import type { Manifest, Stamps } from "@dcx/protocol";
import type { ActualDeployment } from "../../network/snapshot";

/** A manifest that a change starts from, or leads to. */
export interface Draft {
  readonly manifest: Manifest;
  readonly stamps: Stamps;
  /** Entries that the chain counts and this manifest lacks, because nobody had the one that held them. */
  readonly unseen: number;
}

/** One resource's change to its own entry. */
export interface Change {
  /** `workloads/<name>` or `connections/<name>`. */
  readonly entry: string;
  /** Before it is signed, an aborted change leaves its batch; after that its outcome is followed. */
  readonly signal: AbortSignal;
  /**
   * The draft with this change in it, or what it waits for. What it throws is its own failure and nobody else's.
   */
  apply(draft: Draft, deployment: ActualDeployment): Promise<Draft | Waiting>;
}

/** The change can't be made yet. */
export interface Waiting {
  /** A sentence for a person, such as `workload "api" is not there yet`. */
  readonly waitsFor: string;
}

export function isWaiting(outcome: Draft | Waiting): outcome is Waiting {
  return "waitsFor" in outcome;
}
