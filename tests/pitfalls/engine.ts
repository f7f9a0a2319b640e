import { ModelNetwork } from "../../provider/src/network/model/model-network";
import { twoRegions } from "../../provider/src/testing/model-world";
import { capacity, deployment, type Program } from "../../provider/src/testing/program";
import type { ValueMap } from "../../provider/src/wire/value";
import { AttachedStack } from "../support/attached";

/** What most tests of the list run: two workloads, a connection between them and one to the first. */
export const small = { workloads: 2, connections: 2 };

export interface Attached {
  readonly network: ModelNetwork;
  readonly stack: AttachedStack;
}

/** Runs a test on a stack of its own under the real engine, on a network with a datacenter in each of two regions. */
export async function attached(
  test: (world: Attached) => Promise<void>,
  { timeout = 30, datacenters = true }: { readonly timeout?: number; readonly datacenters?: boolean } = {},
): Promise<void> {
  const network = datacenters ? twoRegions() : new ModelNetwork();
  const stack = await AttachedStack.create(network, { parallel: 16, settings: { timeout } });
  try {
    await test({ network, stack });
  } finally {
    stack.close();
  }
}

/** A deployment with one workload in it, whose fields a test varies. */
export function one(fields: ValueMap, more: ValueMap = {}, options: { readonly timeout?: number } = {}): Program {
  return {
    shop: deployment(
      {
        ...capacity(4),
        workloads: { w1: { infrastructure: "west", container: "web:1", ports: [8080], ...fields } },
        connections: {},
        ...more,
      },
      options,
    ),
  };
}

/** Operations that the state says are under way, and resources whose initialization failed, by name. */
export async function unfinished(
  stack: AttachedStack,
): Promise<{ readonly pending: number; readonly failed: readonly string[] }> {
  const exported = stack.stack.run("stack", "export");
  const { deployment: kept } = JSON.parse(exported.text) as { deployment: { pending_operations?: readonly unknown[] } };
  const failed = (await stack.stack.state()).filter((resource) => resource.failed);
  return {
    pending: (kept.pending_operations ?? []).length,
    failed: failed.map(({ urn }) => urn.split("::").at(-1) ?? ""),
  };
}
