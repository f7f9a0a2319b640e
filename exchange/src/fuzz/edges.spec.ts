import { AuthInfo, TxBody } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import type { EncodedMessage } from "../application/transaction";
import { Branch } from "../state/branch";
import { EventList, UnlimitedGas } from "../state/context";
import { ExchangeError } from "../state/errors";
import { applyMessage, beginBlock, checkInvariants, endBlock } from "../state/machine";
import { chainId } from "../state/testing/genesis";
import { addressOf, bytesOf } from "../state/testing/names";
import type { World } from "../state/testing/world";
import { edgesOf } from "./testing/edges";
import { Judge } from "./testing/judge";
import { type Prepared, prepareChain } from "./testing/prepared-chain";
import { patience, report } from "./testing/runs";
import { facilitatorSamples, type Sample, samples } from "./testing/samples";
import { shapeOf } from "./testing/shapes";

jest.setTimeout(patience);

let prepared: Prepared;
let judge: Judge;
let all: readonly Sample[];

beforeAll(async () => {
  prepared = prepareChain();
  judge = new Judge(prepared.chain);
  all = await samples();
});

afterAll(async () => {
  report("integers at their edges");
  await prepared.close();
});

/** What the pure machine makes of a message, with every invariant after the block and the beginning of the next. */
function codeOf(world: World, message: EncodedMessage): number {
  const branch = new Branch(world.state);
  const gas = new UnlimitedGas();
  const context = { chainId, height: world.height, hash: bytesOf("tx"), gas, events: new EventList() };
  try {
    applyMessage(branch, context, message, "transaction");
  } catch (error) {
    // Whatever else is thrown is a defect.
    if (!(error instanceof ExchangeError)) throw error;
    return error.code;
  }
  endBlock(branch, { chainId, height: world.height }, 0n);
  beginBlock(branch, { chainId, height: world.height + 1n });
  expect(checkInvariants(branch)).toEqual([]);
  return 0;
}

const shapeOfMessage = (typeUrl: string) => shapeOf(typeUrl.slice(1));

test("a message with an integer at an edge, or beyond it, is taken with every invariant kept, or changes nothing", () => {
  const taken = new Map<string, number>();
  for (const { typeUrl, value, signer } of all) {
    let variants = 0;
    for (const { what, bytes } of [{ what: "as it is", bytes: value }, ...edgesOf(value, shapeOfMessage(typeUrl))]) {
      const message = { typeUrl, value: bytes };
      try {
        const { code, events } = judge.judge(judge.sign(judge.parts([message], signer), signer), signer);
        // Where another than the signer is named, it is refused before it is executed.
        if (code === 0 || events.length > 0) expect(codeOf(prepared.pure, message)).toBe(code);
        if (code === 0) taken.set(typeUrl, (taken.get(typeUrl) ?? 0) + 1);
      } catch (cause) {
        throw new Error(`${typeUrl}, ${what}`, { cause });
      }
      variants += 1;
    }
    expect(variants).toBeGreaterThan(0);
  }
  // What is compared is there: most kinds are taken as they are.
  expect(taken.size).toBeGreaterThanOrEqual(16);
});

test("an envelope with an integer at an edge, or beyond it, is refused or changes no more than it would otherwise", () => {
  const [{ typeUrl, value, signer }] = all as [Sample];
  const parts = judge.parts([{ typeUrl, value }], signer);
  // So that there is something in every field.
  const fee = { amount: [{ denom: "udcx", amount: "5" }], gasLimit: 5_000_000n, payer: "", granter: addressOf("bob") };
  const full = {
    bodyBytes: TxBody.encode({ ...TxBody.decode(parts.bodyBytes), memo: "5", timeoutHeight: 900n }).finish(),
    authInfoBytes: AuthInfo.encode({ ...AuthInfo.decode(parts.authInfoBytes), fee }).finish(),
  };
  let refused = 0;
  for (const one of [parts, full]) {
    for (const { what, bytes } of edgesOf(one.bodyBytes, shapeOf("cosmos.tx.v1beta1.TxBody"))) {
      const { code } = judged(what, judge.sign({ ...one, bodyBytes: bytes }, signer), signer);
      if (code !== 0) refused += 1;
    }
    for (const { what, bytes } of edgesOf(one.authInfoBytes, shapeOf("cosmos.tx.v1beta1.AuthInfo"))) {
      const { code } = judged(what, judge.sign({ ...one, authInfoBytes: bytes }, signer), signer);
      if (code !== 0) refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(100);
});

test("a facilitator's message is refused from everybody, whatever is in it", () => {
  for (const { typeUrl, value } of facilitatorSamples(prepared)) {
    for (const { what, bytes } of [{ what: "", bytes: value }, ...edgesOf(value, shapeOfMessage(typeUrl))]) {
      for (const signer of ["sierra", "alice", "adam"]) {
        const transaction = judge.sign(judge.parts([{ typeUrl, value: bytes }], signer), signer);
        const { code, log, events } = judged(what, transaction, signer);
        expect({ code, log, events }).toEqual({
          code: 4,
          log: `${typeUrl} is made by facilitators only, in their part of the block`,
          events: [],
        });
      }
    }
  }
});

function judged(what: string, bytes: Uint8Array, signer: string) {
  try {
    return judge.judge(bytes, signer);
  } catch (cause) {
    throw new Error(what, { cause });
  }
}
