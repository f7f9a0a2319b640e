import type { Timestamp } from "cosmjs-types/google/protobuf/timestamp";
import type { Block } from "cosmjs-types/tendermint/types/block";
import type { BlockID, Commit, Header } from "cosmjs-types/tendermint/types/types";
import { z } from "zod";

/** Reads CometBFT's JSON: hashes in hexadecimal, bytes in base64, 64-bit numbers as text. */

const hexSchema = z
  .string()
  .regex(/^([0-9a-fA-F]{2})*$/)
  .transform((text): Uint8Array => Buffer.from(text, "hex"));
const base64Schema = z.base64().transform((text): Uint8Array => Buffer.from(text, "base64"));
export const integerSchema = z
  .union([z.string().regex(/^-?\d+$/), z.number().int()])
  .transform((value) => BigInt(value));

const timeSchema = z.string().transform((text, context): Timestamp => {
  const [, whole, fraction = ""] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? [];
  if (whole === undefined) {
    context.addIssue({ code: "custom", message: "a time as in RFC 3339 is expected" });
    return z.NEVER;
  }
  return { seconds: BigInt(Date.parse(`${whole}Z`) / 1000), nanos: Number(fraction.padEnd(9, "0")) };
});

const blockIdSchema = z
  .object({ hash: hexSchema, parts: z.object({ total: z.number(), hash: hexSchema }) })
  .transform(({ hash, parts }): BlockID => ({ hash, partSetHeader: parts }));

export const headerSchema = z
  .object({
    version: z.object({ block: integerSchema, app: integerSchema.default(0n) }),
    chain_id: z.string(),
    height: integerSchema,
    time: timeSchema,
    last_block_id: blockIdSchema,
    last_commit_hash: hexSchema,
    data_hash: hexSchema,
    validators_hash: hexSchema,
    next_validators_hash: hexSchema,
    consensus_hash: hexSchema,
    app_hash: hexSchema,
    last_results_hash: hexSchema,
    evidence_hash: hexSchema,
    proposer_address: hexSchema,
  })
  .transform(
    (one): Header => ({
      version: one.version,
      chainId: one.chain_id,
      height: one.height,
      time: one.time,
      lastBlockId: one.last_block_id,
      lastCommitHash: one.last_commit_hash,
      dataHash: one.data_hash,
      validatorsHash: one.validators_hash,
      nextValidatorsHash: one.next_validators_hash,
      consensusHash: one.consensus_hash,
      appHash: one.app_hash,
      lastResultsHash: one.last_results_hash,
      evidenceHash: one.evidence_hash,
      proposerAddress: one.proposer_address,
    }),
  );

const commitSchema = z
  .object({
    height: integerSchema,
    round: z.number(),
    block_id: blockIdSchema,
    signatures: z.array(
      z
        .object({
          block_id_flag: z.number(),
          validator_address: hexSchema,
          timestamp: timeSchema,
          signature: base64Schema.nullable(),
        })
        .transform((one) => ({
          blockIdFlag: one.block_id_flag,
          validatorAddress: one.validator_address,
          timestamp: one.timestamp,
          signature: one.signature ?? new Uint8Array(),
        })),
    ),
  })
  .transform(({ block_id: blockId, ...rest }): Commit => ({ ...rest, blockId }));

export const blockSchema = z
  .object({
    block_id: blockIdSchema,
    block: z
      .object({
        header: headerSchema,
        data: z.object({ txs: z.array(base64Schema).nullable() }),
        last_commit: commitSchema.nullable(),
      })
      .transform(
        ({ header, data, last_commit: lastCommit }): Block => ({
          header,
          data: { txs: data.txs ?? [] },
          // What validators did wrong is in the events of the block; their votes are not repeated here.
          evidence: { evidence: [] },
          ...(lastCommit === null ? {} : { lastCommit }),
        }),
      ),
  })
  .transform(({ block_id: blockId, block }) => ({ blockId, block }));

const eventsSchema = z
  .array(
    z.object({
      type: z.string(),
      attributes: z
        .array(z.object({ key: z.string(), value: z.string().default(""), index: z.boolean().default(false) }))
        .nullish()
        .transform((list) => list ?? []),
    }),
  )
  .nullish()
  .transform((list) => list ?? []);

export const transactionSchema = z.object({
  hash: hexSchema,
  height: integerSchema,
  tx: base64Schema,
  tx_result: z.object({
    code: z.number().default(0),
    data: base64Schema.nullish().transform((data) => data ?? new Uint8Array()),
    log: z.string().default(""),
    info: z.string().default(""),
    gas_wanted: integerSchema.default(0n),
    gas_used: integerSchema.default(0n),
    events: eventsSchema,
    codespace: z.string().default(""),
  }),
});
export type CometTransaction = z.infer<typeof transactionSchema>;

export const searchSchema = z.object({ txs: z.array(transactionSchema), total_count: integerSchema });

export const broadcastSchema = z.object({
  code: z.number(),
  log: z.string(),
  codespace: z.string().default(""),
  hash: z.string(),
});

export const statusSchema = z.object({
  node_info: z.object({
    protocol_version: z.object({ p2p: integerSchema, block: integerSchema, app: integerSchema }),
    id: z.string(),
    listen_addr: z.string(),
    network: z.string(),
    version: z.string(),
    channels: hexSchema,
    moniker: z.string(),
    other: z.object({ tx_index: z.string(), rpc_address: z.string() }),
  }),
  sync_info: z.object({
    latest_block_height: integerSchema,
    latest_block_time: timeSchema,
    catching_up: z.boolean(),
  }),
});

export const validatorsSchema = z.object({
  block_height: integerSchema,
  validators: z.array(
    z.object({
      address: hexSchema,
      pub_key: z.object({ type: z.string(), value: base64Schema }),
      voting_power: integerSchema,
      proposer_priority: integerSchema,
    }),
  ),
  total: integerSchema,
});
