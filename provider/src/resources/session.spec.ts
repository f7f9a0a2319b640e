import type { DeploymentKey } from "../network/driver";
import { ModelNetwork } from "../network/model/model-network";
import { deploymentId, keyOf } from "./identity";
import { Session } from "./session";
import { capacity, create, world } from "./testing/operations";

const settings = { namespace: "", timeout: 10, skipAwait: false };
const lasting = () => new AbortController().signal;

/** A network that says nothing of deployments before the test lets it. */
class SlowNetwork extends ModelNetwork {
  asked = 0;
  readonly #gate = new AbortController();

  answer(): void {
    this.#gate.abort();
  }

  override async snapshot(deployment: DeploymentKey, signal = lasting()) {
    this.asked += 1;
    await new Promise<void>((resolve, reject) => {
      this.#gate.signal.addEventListener("abort", () => resolve());
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    return super.snapshot(deployment);
  }
}

it("what several ask the network at about the same time is asked once, and whoever leaves leaves alone", async () => {
  const network = new SlowNetwork();
  const session = new Session(network, settings);
  const deployment = { tenant: network.tenant, sequence: 7n };
  const first = new AbortController();
  const left = expect(session.snapshot(deployment, first.signal)).rejects.toThrow("cancelled");
  const stays = session.snapshot(deployment, lasting());
  first.abort(new Error("cancelled"));
  await left;
  network.answer();
  await expect(stays).resolves.toMatchObject({ chain: "dcx-model", deployment: undefined });
  expect(network.asked).toBe(1);
});

it("a change that others wait for is seen also where it comes while the network is asked how far it is", async () => {
  const { network, Deployment } = world();
  const { id } = await create(Deployment, "Deployment", "shop", capacity);
  const key = keyOf(deploymentId(id));
  // Nothing depends on height here: there may be no other block for long.
  network.waitForHeight = (_height, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const session = new Session(network, settings);
  const commits = session.commits(id, key);
  let isThere = false;
  let other: Promise<unknown> = Promise.resolve();
  const waits = commits.join({
    entry: "connections/a",
    signal: lasting(),
    apply: async (draft) => {
      if (isThere) return draft;
      session.forget(key);
      const snapshot = network.snapshot.bind(network);
      network.snapshot = async (deployment) => {
        network.snapshot = snapshot;
        const apply = async (now: typeof draft) => {
          isThere = true;
          return now;
        };
        other = commits.join({ entry: "workloads/b", signal: lasting(), apply });
        return snapshot(deployment);
      };
      return { waitsFor: 'workload "b" is not there yet' };
    },
  });
  await waits;
  await other;
  expect(isThere).toBe(true);
});
