import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkHome } from "@dcx/exchange";
import {
  ExchangeQueryClient,
  messages,
  NetworkUnreachable,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import fc from "fast-check";
import { z } from "zod";
import { crashPoints } from "../exchange/src/node/testing/crash-points";
import { faultyProgram, withEnvironment } from "./faults/program";
import { type Validator, Validators } from "./support/validators";
import { dcxCommand, eventually } from "./support/world";

/** DCX_TEST_KILLS=100 for a long run. */
const kills = Number(process.env["DCX_TEST_KILLS"] ?? 10);
const patience = 180_000;

jest.setTimeout(600_000 + kills * 60_000);

/** How a life of a node ends. */
type End =
  | { readonly who: "application"; readonly point: string; readonly count: number }
  /** CometBFT's own points: some nine a block, before and after each of its durable steps. */
  | { readonly who: "engine"; readonly index: number }
  | { readonly who: "either"; readonly which: "application" | "engine"; readonly after: number };

const points = crashPoints("distributed");
/** After CometBFT has saved its state of the first block that it makes, and before it has that block indexed. */
const beforeIndex: End = { who: "engine", index: 8 };
const anyEnd: fc.Arbitrary<End> = fc.oneof(
  fc.record({
    who: fc.constant("application" as const),
    point: fc.constantFrom(...points),
    count: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ who: fc.constant("engine" as const), index: fc.integer({ min: 0, max: 40 }) }),
  fc.record({
    who: fc.constant("either" as const),
    which: fc.constantFrom("application" as const, "engine" as const),
    after: fc.integer({ min: 0, max: 2_000 }),
  }),
);

const Answer = z.object({ result: z.unknown() });

/** A chain's only validator, killed again and again, and a node that has all its blocks and is never killed. */
test("a validator under CometBFT that is killed has the same states, results and index as a node that is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dcx-killed-validator-"));
  const mortal = faultyProgram("mortal-validator", folder);
  const payer = await signerFromPrivateKey("4a".repeat(32));
  const validators = await Validators.start({
    folder,
    count: 1,
    chainId: "dcx-killed-1",
    accounts: { [payer.address]: 1_000_000n },
    parameters: { blockInterval: "300" },
  });
  let query: ExchangeQueryClient | undefined;
  try {
    const [validator] = validators.all;
    if (validator === undefined) throw new Error("there is one");
    const witness = await validators.join(join(folder, "witness"), []);
    const connected = await eventually("the first block", patience, () => ExchangeQueryClient.connect(witness.rpcUrl));
    query = connected;
    const client = await SigningExchangeClient.connect(connected, payer);
    const { denomination } = await connected.parameters();
    const committed: string[] = [];
    let going = true;
    const paying = (async () => {
      while (going) {
        const payment = messages.send(payer.address, payer.address, 1n, denomination);
        const paid = await client.submit([payment]).catch(unlessBehind);
        if (paid !== undefined) committed.push(paid.hash);
      }
    })();
    await validators.kill(validator, "application");

    for (const end of [beforeIndex, ...fc.sample(anyEnd, kills)]) {
      validators.run(validator, programOf(end), [witness]);
      if (end.who === "either") {
        const before = (await validators.height(witness)) ?? 0n;
        await eventually("it makes blocks", patience, async () => ((await validators.height(witness)) ?? 0n) > before);
        await new Promise((resolve) => setTimeout(resolve, end.after));
        await validators.kill(validator, end.which);
      } else {
        await validators.ended(validator);
      }
    }
    validators.run(validator, undefined, [witness]);
    const before = committed.length;
    await eventually("payments go on", patience, async () => committed.length > before + 1);
    going = false;
    await paying;

    const newest = await connected.height();
    await eventually("it has the last payment's block", patience, async () => {
      return ((await validators.height(validator)) ?? 0n) > newest;
    });
    for (let height = 1n; height <= newest; height++) {
      for (const call of [
        `commit?height=${height}`,
        `block_results?height=${height}`,
        `tx_search?query="tx.height=${height}"&per_page=100`,
        `block_search?query="block.height=${height}"`,
      ]) {
        expect([call, await ask(validator, call)]).toEqual([call, await ask(witness, call)]);
      }
    }
    for (const hash of committed) {
      const found = await ask(validator, `tx?hash=0x${hash}`);
      expect(found).toMatchObject({ tx_result: { code: 0 } });
      expect(found).toEqual(await ask(witness, `tx?hash=0x${hash}`));
    }
    await validators.kill(validator, "application");
    expect(await checkHome(validator.home)).toEqual([]);
  } finally {
    query?.close();
    await validators.close();
    rmSync(folder, { recursive: true, force: true });
  }

  function programOf(end: End) {
    if (end.who === "application") {
      return withEnvironment(mortal, { DCX_TEST_POINT: end.point, DCX_TEST_COUNT: String(end.count) });
    }
    const engine: Readonly<Record<string, string>> = end.who === "engine" ? { FAIL_TEST_INDEX: String(end.index) } : {};
    return { command: dcxCommand, args: [], environment: engine };
  }
});

/** A witness that has lost the validator for some lives of it says so, and that nothing was paid. */
function unlessBehind(error: unknown): undefined {
  if (!(error instanceof NetworkUnreachable)) throw error;
}

async function ask({ rpcUrl }: Validator, call: string): Promise<unknown> {
  const response = await fetch(`${rpcUrl}/${call}`, { signal: AbortSignal.timeout(30_000) });
  return Answer.parse(await response.json()).result;
}
