import type { DeploymentId, ExchangeQueryClient, QueryDeploymentResponse } from "@dcx/protocol";
import DataLoader from "dataloader";

/** Deployments that an exchange describes in one answer. */
const MOST_AT_ONCE = 100;

/**
 * Reads deployments that are asked for one by one in few queries: one query is under way at a time, and what is asked for
 * meanwhile goes together in the next. An engine asks for each resource by itself, for many at once; a query for each took
 * a quarter of a large preview. Nothing is kept: the session decides how long an answer counts.
 */
export function readTogether(
  query: Pick<ExchangeQueryClient, "deploymentsByIds">,
): DataLoader<DeploymentId, QueryDeploymentResponse> {
  let underWay: Promise<unknown> = Promise.resolve();
  return new DataLoader<DeploymentId, QueryDeploymentResponse>(
    (ids) => {
      const asking = query.deploymentsByIds(ids);
      underWay = asking.catch(() => {});
      return asking;
    },
    {
      cache: false,
      maxBatchSize: MOST_AT_ONCE,
      // Not before requests that have arrived already have asked as well.
      batchScheduleFn: (send) => void underWay.then(() => setImmediate(send)),
    },
  );
}
