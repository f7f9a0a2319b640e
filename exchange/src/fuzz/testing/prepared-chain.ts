import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OrderId } from "@dcx/protocol";
import { SignedChain } from "../../application/testing/signed-chain";
import type { WorldOptions } from "../../state/testing/genesis";
import { Staking } from "../../state/testing/stake";
import { nextGeneration, orderOf, terms, World } from "../../state/testing/world";

const world: WorldOptions = {
  accounts: { alice: 1_000_000n, bob: 1_000_000n, mia: 1_000_000n, adam: 1_000_000n, beth: 1_000_000n },
  validators: { adam: 300n, beth: 500n },
  datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" }, umbra: { region: "us-west" } },
  parameters: { minimumGasPrice: "0" },
};

/** What is on the prepared chain. */
interface Places {
  /** Without signatures and blocks: the state as it is for the next transaction. */
  readonly pure: World;
  /** Leased in sierra, whom tidewater is to replace. */
  readonly lease: OrderId;
  /** Tidewater's, which has not served yet. */
  readonly successor: OrderId;
  /** Waits, with an offer of tidewater's. */
  readonly order: OrderId;
}

export interface Prepared extends Places {
  readonly chain: SignedChain;
  close(): Promise<void>;
}

/** An exchange in memory on which there is something of every kind, in the midst of a block. */
export function prepareWorld(): Places {
  const pure = new World(world);
  const deployment = pure.deploy("alice", [terms("west", { persist: true })]);
  const lease = orderOf(deployment, "west");
  pure.bid("sierra", lease);
  pure.blocks(2);
  pure.update("alice", deployment, { infrastructures: [terms("west", { persist: true, memory: 2048n, price: 12n })] });
  const successor = nextGeneration(lease);
  pure.bid("tidewater", successor);
  const order = orderOf(pure.deploy("bob", [terms("east", { count: 3 })], { waitDuration: 9n }), "east");
  pure.bid("tidewater", order, 3n);
  const staking = new Staking(pure);
  staking.delegate("bob", "adam", 200n);
  staking.propose("bob", { noticePeriod: "7" });
  pure.grantFees("alice", "mia", 5_000n);
  pure.blocks(2);
  staking.undelegate("bob", "adam", 50n);
  pure.confirm("sierra", lease, "v1");
  pure.blocks();
  return { pure, lease, successor, order };
}

/** The same, and a chain with that state behind signatures, on a disk. */
export function prepareChain(): Prepared {
  const places = prepareWorld();
  const { pure } = places;
  const path = mkdtempSync(join(tmpdir(), "dcx-fuzz-"));
  const chain = new SignedChain(path, world);
  for (let height = 1n; height < pure.height; height += 1n) {
    const messages = pure.attempts.filter((one) => one.height === height);
    const block = [...chain.propose([]), ...messages.map((one) => chain.sign(one))];
    const failed = chain.commit(block).txResults.find(({ code }) => code !== 0);
    if (failed !== undefined) throw new Error(`the chain could not be prepared: ${failed.log}`);
  }
  const close = async () => {
    await chain.application.close();
    rmSync(path, { recursive: true, force: true });
  };
  return { ...places, chain, close };
}
