import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { WorldOptions } from "../../state/testing/genesis";
import { participants } from "../../state/testing/histories";
import type { SignedChain } from "./signed-chain";

/** A history of all messages as it was signed once, with the app hash that each block led to then. */
const Recorded = z.object({
  blocks: z.array(
    z.object({
      transactions: z.array(z.string()),
      absent: z.array(z.string()),
      misbehavior: z.array(z.object({ address: z.string(), power: z.coerce.bigint(), height: z.coerce.bigint() })),
      appHash: z.string(),
    }),
  ),
});
type RecordedBlock = z.infer<typeof Recorded>["blocks"][number];

export const recordedFile = join(__dirname, "recorded-history.json");

// Nobody pays fees, so that balances are those of the pure machine.
export const recordedWorld: WorldOptions = {
  ...participants,
  parameters: { ...participants.parameters, minimumGasPrice: "0" },
};

export function readRecorded(path: string): readonly RecordedBlock[] {
  return Recorded.parse(JSON.parse(readFileSync(path, "utf8"))).blocks;
}

/** Commits what was recorded; the app hash after each block. */
export function replay(
  chain: SignedChain,
  blocks: readonly RecordedBlock[],
  onEvent: (type: string) => void = () => {},
): string[] {
  const bytes = (text: string): Uint8Array => Buffer.from(text, "base64");
  return blocks.map(({ transactions, absent, misbehavior }) => {
    const { txResults, events } = chain.commit(transactions.map(bytes), {
      absent: absent.map(bytes),
      misbehavior: misbehavior.map((fault) => ({ ...fault, address: bytes(fault.address) })),
    });
    for (const { type } of [...events, ...txResults.flatMap((result) => result.events)]) onEvent(type);
    return chain.appHash;
  });
}
