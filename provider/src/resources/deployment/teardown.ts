import { Deadline, waitFor } from "../../await/wait";
import { type DeploymentKey, type NetworkDriver, NetworkError } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import type { CallContext } from "../resource";

/** Seconds that a destroy waits for datacenters to stop what ran. The chain has said by then that it is over. */
const TEARDOWN = 15;

/** Waits a bounded time until those that held a lease run nothing any more; warns of those that still do or are mute. */
export async function awaitTeardown(
  driver: NetworkDriver,
  deployment: DeploymentKey,
  before: ActualDeployment,
  context: CallContext,
  deadline: Deadline,
): Promise<void> {
  const holders = new Set(
    Object.values(before.infrastructures).flatMap(({ lease, successor }) =>
      [lease, successor].flatMap((one) => (one === undefined ? [] : [one.datacenter])),
    ),
  );
  const late = await Promise.all([...holders].map((holder) => stops(driver, deployment, holder, deadline.signal)));
  for (const holder of late.flat()) {
    context.log(
      "warning",
      `datacenter ${holder} has not confirmed that it stopped everything; its lease has ended and is not paid any more`,
    );
  }
}

async function stops(
  driver: NetworkDriver,
  deployment: DeploymentKey,
  holder: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  using bounded = new Deadline(signal, TEARDOWN, TEARDOWN);
  let cursor: string | undefined;
  try {
    return await waitFor<readonly string[]>({
      deadline: bounded,
      status: () => {},
      async look() {
        try {
          const status = await driver.status(
            deployment,
            holder,
            { after: cursor, waitMilliseconds: 2000 },
            bounded.signal,
          );
          cursor = status.cursor;
          const running = Object.values(status.workloads).some(({ instances }) => instances.length > 0);
          return running ? { done: false, line: "", reasons: [] } : { done: true, value: [] };
        } catch (error) {
          if (error instanceof NetworkError && error.code === "refused") {
            // It holds no lease of this deployment any more, and says so.
            return { done: true, value: [] };
          }
          throw error;
        }
      },
      next: (stop) => driver.waitForHeight(0n, stop),
    });
  } catch {
    return [holder];
  }
}
