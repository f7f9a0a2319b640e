import { ModelNetwork } from "../../provider/src/network/model/model-network";
import { kinds, parallelisms, theDeployment } from "../../provider/src/testing/model-world";
import { inline, separate } from "../../provider/src/testing/program";
import { AttachedStack } from "../support/attached";

jest.setTimeout(600_000);

const twenty = { workloads: 20, connections: 40 };

/** Its blocks take a while, as those of an exchange do, and it counts what is in flight. */
class SlowNetwork extends ModelNetwork {
  #inFlight = 0;
  mostInFlight = 0;

  constructor(private readonly block: number) {
    super();
  }

  override async submit(...args: Parameters<ModelNetwork["submit"]>) {
    this.#inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
    try {
      await new Promise((resolve) => setTimeout(resolve, this.block));
      return await super.submit(...args);
    } finally {
      this.#inFlight -= 1;
    }
  }
}

/**
 * Milliseconds that a block takes: longer than an engine that works on several resources needs from one answer to its
 * next request. One that works on a single resource asks for nothing else meanwhile.
 */
const blockAt = (parallel: number): number => (parallel === 1 ? 50 : 1000);

async function world(parallel: number, skipAwait: boolean) {
  const network = new SlowNetwork(blockAt(parallel));
  network.addDatacenter("sierra", "us-west");
  network.addDatacenter("tide", "us-east");
  return { network, stack: await AttachedStack.create(network, { parallel, settings: { skipAwait, timeout: 120 } }) };
}

describe.each(parallelisms)("group commit, under the real engine at parallelism %d", (parallel) => {
  test("one transaction for an inline deployment with 20 workloads and 40 connections", async () => {
    const { network, stack } = await world(parallel, false);
    try {
      await stack.up(inline(twenty));
      expect(kinds(network)).toEqual(["submit-deployment"]);
      expect(theDeployment(network).manifestEntries).toBe(60);
    } finally {
      stack.close();
    }
  });

  test("for separate ones with skipAwait at most 1 + 2·(⌈20/p⌉ + ⌈40/p⌉), and never two in flight", async () => {
    const { network, stack } = await world(parallel, true);
    try {
      await stack.up(separate(twenty));
      expect(theDeployment(network).manifestEntries).toBe(60);
      const bound = 1 + 2 * (Math.ceil(20 / parallel) + Math.ceil(40 / parallel));
      expect(network.transactions.length).toBeLessThanOrEqual(bound);
      expect(network.mostInFlight).toBe(1);
    } finally {
      stack.close();
    }
  });
});
