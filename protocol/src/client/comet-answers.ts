import { z } from "zod";

/** What CometBFT 0.38 answers over JSON-RPC, as far as we read it. Numbers of 64 bits are decimal strings there. */

const base64 = z.string().transform((text) => Uint8Array.from(Buffer.from(text, "base64")));
/** Go leaves an empty slice out or writes null. */
const optionalBase64 = base64.nullish().transform((bytes) => bytes ?? new Uint8Array());
const height = z.coerce.bigint();
const time = z.string().transform((text) => new Date(text));
const code = z.number().int().default(0);

function list<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

const AbciEventAnswer = z.object({
  type: z.string(),
  attributes: list(z.object({ key: z.string(), value: z.string().nullish() })).transform((attributes) =>
    attributes.map(({ key, value }) => ({ key, value: value ?? "" })),
  ),
});

const TransactionResult = z.object({
  code,
  codespace: z.string().default(""),
  log: z.string().default(""),
  data: optionalBase64,
  gas_wanted: height.default(0n),
  gas_used: height.default(0n),
  events: list(AbciEventAnswer),
});
export type TransactionResult = z.infer<typeof TransactionResult>;

export const StatusAnswer = z.object({
  node_info: z.object({ network: z.string() }),
  sync_info: z.object({ latest_block_height: height, latest_block_time: time, catching_up: z.boolean() }),
});

export const AbciQueryAnswer = z.object({
  response: z.object({
    code,
    codespace: z.string().default(""),
    log: z.string().default(""),
    value: optionalBase64,
    height,
  }),
});

export const BlockResultsAnswer = z.object({
  height,
  txs_results: list(TransactionResult),
  finalize_block_events: list(AbciEventAnswer),
});

export const BlockAnswer = z.object({
  block: z.object({ header: z.object({ height, time }), data: z.object({ txs: list(base64) }) }),
});

export const BlockchainAnswer = z.object({
  block_metas: list(z.object({ header: z.object({ height, time }) })),
});

export const TransactionAnswer = z.object({
  hash: z.string(),
  height,
  index: z.number().int(),
  tx_result: TransactionResult,
  tx: base64,
});

export const BroadcastAnswer = z.object({
  code,
  codespace: z.string().default(""),
  log: z.string().default(""),
  hash: z.string(),
});
