import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RequestFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import { participants } from "../state/testing/histories";
import { SignedChain } from "./testing/signed-chain";

describe("the blocks that an engine is to keep", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "dcx-kept-"));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  /** The first that is to be kept, after each of some blocks. 0: all. */
  async function firstKept(keptBlocks: bigint | undefined): Promise<readonly bigint[]> {
    const chain = new SignedChain(home, participants, keptBlocks === undefined ? {} : { keptBlocks });
    const first: bigint[] = [];
    for (let block = 0; block < 5; block++) {
      const txs = chain.propose([]);
      chain.application.finalizeBlock(RequestFinalizeBlock.fromPartial({ txs, height: chain.height }));
      first.push(chain.application.commit().retainHeight);
    }
    await chain.application.close();
    return first;
  }

  it("are all of them where nothing is said", async () => {
    await expect(firstKept(undefined)).resolves.toEqual([0n, 0n, 0n, 0n, 0n]);
  });

  it("are the newest, as many as are asked for", async () => {
    await expect(firstKept(3n)).resolves.toEqual([0n, 0n, 1n, 2n, 3n]);
  });
});
