import type { ExchangeQueryClient } from "@dcx/protocol";
import { Timestamp } from "cosmjs-types/google/protobuf/timestamp";
import { BlockID, Commit, Header } from "cosmjs-types/tendermint/types/types";
import { z } from "zod";

/** A header with the commit that is said to sign it. */
export interface SignedHeader {
  readonly header: Header;
  readonly commit: Commit;
}

export interface Validator {
  /** ed25519 */
  readonly publicKey: Uint8Array;
  readonly power: bigint;
}

/** Where headers come from; nothing that it says is believed before it is verified. */
export interface HeaderSource {
  signedHeader(height: bigint, signal: AbortSignal): Promise<SignedHeader>;
  /** In the order that their hash is made in. */
  validators(height: bigint, signal: AbortSignal): Promise<readonly Validator[]>;
  newestHeight(signal: AbortSignal): Promise<bigint>;
}

/** More validators than any chain that we know has: an answer is bounded. */
const mostValidators = 10_000;
const validatorsPerPage = 100;

const hash = z
  .string()
  .regex(/^([0-9A-Fa-f]{2}){0,32}$/)
  .transform((text) => Uint8Array.from(Buffer.from(text, "hex")));
const bytes = z
  .string()
  .max(200)
  .nullish()
  .transform((text) => Uint8Array.from(Buffer.from(text ?? "", "base64")));
const natural = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);

/** RFC 3339 with up to nine digits of a second, none of which may be lost: they are signed. */
const time = z.string().transform((text, context): Timestamp => {
  const [, whole, fraction = ""] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? [];
  const milliseconds = whole === undefined ? Number.NaN : Date.parse(`${whole}Z`);
  if (Number.isNaN(milliseconds)) {
    context.addIssue({ code: "custom", message: "no time of RFC 3339 in UTC" });
    return z.NEVER;
  }
  return Timestamp.fromPartial({ seconds: BigInt(milliseconds / 1000), nanos: Number(fraction.padEnd(9, "0")) });
});

const blockId = z
  .object({
    hash,
    parts: z.object({
      total: z
        .number()
        .int()
        .min(0)
        .max(2 ** 31),
      hash,
    }),
  })
  .transform(({ hash: named, parts }) => BlockID.fromPartial({ hash: named, partSetHeader: parts }));

const HeaderAnswer = z
  .object({
    version: z.object({ block: natural, app: natural.default(0n) }),
    chain_id: z.string(),
    height: natural,
    time,
    last_block_id: blockId,
    last_commit_hash: hash,
    data_hash: hash,
    validators_hash: hash,
    next_validators_hash: hash,
    consensus_hash: hash,
    app_hash: hash,
    last_results_hash: hash,
    evidence_hash: hash,
    proposer_address: hash,
  })
  .transform((answer) =>
    Header.fromPartial({
      version: answer.version,
      chainId: answer.chain_id,
      height: answer.height,
      time: answer.time,
      lastBlockId: answer.last_block_id,
      lastCommitHash: answer.last_commit_hash,
      dataHash: answer.data_hash,
      validatorsHash: answer.validators_hash,
      nextValidatorsHash: answer.next_validators_hash,
      consensusHash: answer.consensus_hash,
      appHash: answer.app_hash,
      lastResultsHash: answer.last_results_hash,
      evidenceHash: answer.evidence_hash,
      proposerAddress: answer.proposer_address,
    }),
  );

const CommitAnswer = z
  .object({
    height: natural,
    round: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31),
    block_id: blockId,
    signatures: z
      .array(
        z.object({
          block_id_flag: z.number().int().min(1).max(3),
          validator_address: hash,
          timestamp: time,
          signature: bytes,
        }),
      )
      .max(mostValidators),
  })
  .transform((answer) =>
    Commit.fromPartial({
      height: answer.height,
      round: answer.round,
      blockId: answer.block_id,
      signatures: answer.signatures.map((one) => ({
        blockIdFlag: one.block_id_flag,
        validatorAddress: one.validator_address,
        timestamp: one.timestamp,
        signature: one.signature,
      })),
    }),
  );

const SignedHeaderAnswer = z.object({ signed_header: z.object({ header: HeaderAnswer, commit: CommitAnswer }) });

const ValidatorsAnswer = z.object({
  block_height: natural,
  validators: z
    .array(
      z.object({
        pub_key: z.object({ type: z.literal("tendermint/PubKeyEd25519"), value: bytes }),
        voting_power: natural,
      }),
    )
    .max(validatorsPerPage),
  total: natural,
});

/** Headers and validators from the endpoints of a client. */
export function headersFrom(query: ExchangeQueryClient): HeaderSource {
  return {
    newestHeight: (signal) => query.height({ signal }),
    async signedHeader(height, signal) {
      const answer = await query.ask("commit", { height: height.toString() }, SignedHeaderAnswer, { signal });
      return answer.signed_header;
    },
    async validators(height, signal) {
      const found: Validator[] = [];
      for (let page = 1; ; page += 1) {
        const params = { height: height.toString(), page: page.toString(), per_page: validatorsPerPage.toString() };
        const answer = await query.ask("validators", params, ValidatorsAnswer, { signal });
        found.push(...answer.validators.map((one) => ({ publicKey: one.pub_key.value, power: one.voting_power })));
        const done = answer.validators.length === 0 || BigInt(found.length) >= answer.total;
        if (done || found.length >= mostValidators) return found;
      }
    },
  };
}
