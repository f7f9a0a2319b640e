import { naming } from "../../await/conditions";
import type { HolderView } from "../../await/holder-watch";
import type { ActualDeployment, Snapshot } from "../../network/snapshot";
import { placedOn } from "../../plan/manifest";
import type { Session } from "../session";
import { type DeploymentGoal, holdersOf, missingVerdicts } from "./await-deployment";

/**
 * What a deployment still lacks of being done; empty: nothing. As `awaitDeployment` sees it, but without waiting: who
 * confirmed the version on the chain serves all of it (design: SubmitLeaseConfirmation) and is not asked again.
 */
export async function unfinished(
  session: Session,
  snapshot: Snapshot & { readonly deployment: ActualDeployment },
  goal: DeploymentGoal,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { deployment } = snapshot;
  const places = goal.manifest === undefined ? [] : placedOn(goal.manifest.content);
  const silent = new Set(
    places
      .filter((name) => confirmed(deployment, name) !== deployment.version)
      .flatMap((name) => holdersOf(snapshot, name)),
  );
  const key = { tenant: deployment.tenant, sequence: deployment.sequence };
  const views = new Map<string, HolderView>();
  await Promise.all(
    [...silent].map(async (holder) => {
      const status = await session.glance(key, holder, signal);
      views.set(holder, { status, problem: status === undefined ? "it does not answer" : undefined });
    }),
  );
  const parameters = await session.parameters(signal);
  const view = (holder: string): HolderView | undefined => views.get(holder);
  const missing = missingVerdicts(snapshot, goal, view, naming(parameters, []));
  if (missing.length === 0) {
    return [];
  }
  // Only now do names matter.
  const words = naming(parameters, await session.driver.datacenters(signal));
  return missingVerdicts(snapshot, goal, view, words).map((one) => one.missing);
}

function confirmed({ infrastructures }: ActualDeployment, name: string): string | undefined {
  const one = infrastructures[name];
  return (one?.successor ?? one?.lease)?.confirmedVersion;
}
