import { ExchangeErrorCode } from "@dcx/protocol";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { CheckTxType, RequestFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import type { Application } from "../application";
import { EnvelopeErrorCode } from "../application/envelope-error";
import { chainId } from "../state/testing/genesis";
import { addressOf } from "../state/testing/names";
import { Judge } from "./testing/judge";
import { type Prepared, prepareChain } from "./testing/prepared-chain";
import { type Sample, samples } from "./testing/samples";

/** What has to be refused, by the name that it is refused with. */
let prepared: Prepared;
let application: Application;
let judge: Judge;
let sample: Sample;

beforeAll(async () => {
  prepared = prepareChain();
  application = prepared.chain.application;
  judge = new Judge(prepared.chain);
  const transfer = (await samples()).find(({ typeUrl }) => typeUrl.endsWith("MsgSend"));
  if (transfer === undefined) throw new Error("no transfer among the samples");
  sample = transfer;
});

afterAll(() => prepared.close());

/** Where one that is good is taken from, with what is given signed differently. */
function signed(given: Parameters<Judge["sign"]>[2] = {}): Uint8Array {
  return judge.sign(judge.parts([sample], sample.signer, given), sample.signer, given);
}

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

test("a signature with a high S, which anybody could make of a good one", () => {
  const raw = TxRaw.decode(signed());
  const [signature = new Uint8Array()] = raw.signatures;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
  const highS = Buffer.from((order - s).toString(16).padStart(64, "0"), "hex");
  const twin = TxRaw.encode({ ...raw, signatures: [Buffer.concat([signature.subarray(0, 32), highS])] }).finish();
  const { code, log } = judge.judge(twin, sample.signer);
  expect({ code, log }).toEqual({
    code: EnvelopeErrorCode.Unauthorized,
    log: expect.stringMatching(/^signature verification failed for dcx1/),
  });
});

test.each([
  ["another chain id", { chainId: "world-2" }],
  ["no chain id", { chainId: "" }],
  ["another account number", { accountNumber: 77n }],
])("a signature for %s", (_, given) => {
  const { code, log } = judge.judge(signed(given), sample.signer);
  const number = prepared.chain.numberOf(addressOf(sample.signer));
  expect(code).toBe(EnvelopeErrorCode.Unauthorized);
  expect(log).toContain(`please verify account number (${number})`);
  expect(log).toContain(`chain-id (${chainId})`);
});

test("a sequence that was replayed, reordered, or left out", () => {
  const next = prepared.chain.sequenceOf(addressOf(sample.signer));
  for (const sequence of [next - 1n, 0n, next + 1n, next + 2n, 2n ** 64n - 1n]) {
    const { code, log } = judge.judge(signed({ sequence }), sample.signer);
    expect({ code, log }).toEqual({
      code: EnvelopeErrorCode.WrongSequence,
      log: `account sequence mismatch, expected ${next}, got ${sequence}: incorrect account sequence`,
    });
  }
  // In one block: the second before the first, then the first twice.
  const [first, second] = [signed(), signed({ sequence: next + 1n })];
  const codes = (...txs: Uint8Array[]) => {
    const part = prepared.chain.propose([]);
    const request = RequestFinalizeBlock.fromPartial({ txs: [...part, ...txs], height: prepared.chain.height });
    return application
      .finalizeBlock(request)
      .txResults.slice(part.length)
      .map(({ code }) => code);
  };
  expect(codes(first, second)).toEqual([0, 0]);
  expect(codes(second, first)).toEqual([EnvelopeErrorCode.WrongSequence, 0]);
  expect(codes(first, first)).toEqual([0, EnvelopeErrorCode.WrongSequence]);
  // And in the mempool.
  const checked = (tx: Uint8Array) => application.checkTx({ tx, type: CheckTxType.NEW }).code;
  expect([checked(first), checked(first), checked(second), checked(first)]).toEqual([
    0,
    EnvelopeErrorCode.WrongSequence,
    0,
    EnvelopeErrorCode.WrongSequence,
  ]);
});

test("a message in the name of somebody else", () => {
  const sequence = prepared.chain.sequenceOf(addressOf(sample.signer));
  const { code, log } = judge.judge(judge.sign(judge.parts([sample], "mia", { sequence }), "mia"), "mia");
  expect({ code, log }).toEqual({
    code: EnvelopeErrorCode.InvalidPublicKey,
    log: `the transaction names another public key than the one of ${addressOf(sample.signer)}`,
  });
});

test("a message of a kind that nobody knows", () => {
  const unknown = { typeUrl: "/dcx.exchange.v1.MsgMint", value: sample.value };
  const { code, codespace } = judge.judge(judge.sign(judge.parts([unknown], "alice"), "alice"), "alice");
  expect({ code, codespace }).toEqual({ code: ExchangeErrorCode.UnknownMessage, codespace: "dcx" });
});
