import { SignMode } from "cosmjs-types/cosmos/tx/signing/v1beta1/signing";
import { AuthInfo, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import fc from "fast-check";
import { ecdsaSign } from "secp256k1";
import { aminoDigest } from "../application/amino-signing";
import { EnvelopeError } from "../application/envelope-error";
import { verifyWithNative, verifyWithNoble } from "../application/signature";
import { decodeTransaction, signDigest, type Transaction } from "../application/transaction";
import { chainId } from "../state/testing/genesis";
import { addressOf, keyOf } from "../state/testing/names";
import { Judge, type Parts } from "./testing/judge";
import { damage, decisions, mutate } from "./testing/mutations";
import { type Prepared, prepareChain } from "./testing/prepared-chain";
import { patience, report, runs } from "./testing/runs";
import { type Sample, samples } from "./testing/samples";
import { shapeOf } from "./testing/shapes";

jest.setTimeout(patience);

let prepared: Prepared;
let judge: Judge;
let all: readonly Sample[];
let good: readonly Uint8Array[];

beforeAll(async () => {
  prepared = prepareChain();
  judge = new Judge(prepared.chain);
  all = await samples();
  good = all.map((one) => judge.sign(judge.parts([one], one.signer), one.signer));
});

afterAll(async () => {
  report("transactions");
  await prepared.close();
});

const pick = fc.nat(1_000);

function chosen<One>(list: readonly One[], index: number): One {
  const one = list[index % list.length];
  if (one === undefined) throw new Error("nothing to choose from");
  return one;
}

function decoded(bytes: Uint8Array): Transaction | undefined {
  try {
    return decodeTransaction(bytes);
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

/** Both libraries say the same of every signature in a transaction, by every key in it. */
function expectAgreement(bytes: Uint8Array, signer: string): void {
  const transaction = decoded(bytes);
  if (transaction === undefined || verifyWithNative === undefined) return;
  const digest = signDigest(transaction, chainId, prepared.chain.numberOf(addressOf(signer)));
  for (const signature of transaction.signatures.slice(0, 3))
    for (const { publicKey } of transaction.signers.slice(0, 3))
      if (publicKey !== undefined)
        expect(verifyWithNative(signature, digest, publicKey)).toBe(verifyWithNoble(signature, digest, publicKey));
}

/** As a wallet signs it that shows JSON. Where no such wallet could, as it would be signed otherwise. */
function signAmino(parts: Parts, signer: string): Uint8Array {
  const [info] = AuthInfo.decode(parts.authInfoBytes).signerInfos;
  if (info === undefined) return judge.sign(parts, signer);
  const modeInfo = { single: { mode: SignMode.SIGN_MODE_LEGACY_AMINO_JSON } };
  const authInfo = AuthInfo.decode(parts.authInfoBytes);
  const amino = {
    ...parts,
    authInfoBytes: AuthInfo.encode({ ...authInfo, signerInfos: [{ ...info, modeInfo }] }).finish(),
  };
  const transaction = decoded(TxRaw.encode({ ...amino, signatures: [] }).finish());
  if (transaction === undefined) return judge.sign(amino, signer);
  let digest: Buffer;
  try {
    digest = aminoDigest(transaction, info.sequence, chainId, prepared.chain.numberOf(addressOf(signer)));
  } catch (error) {
    if (error instanceof EnvelopeError) return judge.sign(amino, signer);
    throw error;
  }
  const { signature } = ecdsaSign(digest, keyOf(signer));
  return TxRaw.encode({ ...amino, signatures: [signature] }).finish();
}

describe("a signed transaction", () => {
  test("whose messages are changed is taken or refused, without a defect; what is refused changes nothing", () => {
    const outcomes = new Map<number, number>();
    fc.assert(
      fc.property(pick, decisions, pick, fc.boolean(), (which, named, second, amino) => {
        const { typeUrl, value, signer } = chosen(all, which);
        const others = all.map((one) => one.value);
        const changed = { typeUrl, value: mutate(value, shapeOf(typeUrl.slice(1)), named, others) };
        const beside = all.filter((one) => one.signer === signer);
        const messages = second % 4 === 0 ? [changed, chosen(beside, second)] : [changed];
        const parts = judge.parts(messages, signer);
        const bytes = amino ? signAmino(parts, signer) : judge.sign(parts, signer);
        const { code } = judge.judge(bytes, signer);
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
        expectAgreement(bytes, signer);
      }),
      runs(600),
    );
    // It gets far enough to be taken at times, and is refused for many reasons.
    expect(outcomes.get(0)).toBeGreaterThan(0);
    expect(outcomes.size).toBeGreaterThan(8);
  });

  test("whose envelope is changed, and signed anew, likewise", () => {
    const outcomes = new Set<number>();
    fc.assert(
      fc.property(pick, decisions, fc.constantFrom("body", "auth info"), (which, named, place) => {
        const sample = chosen(all, which);
        const parts = judge.parts([sample], sample.signer);
        const changed =
          place === "body"
            ? { ...parts, bodyBytes: mutate(parts.bodyBytes, shapeOf("cosmos.tx.v1beta1.TxBody"), named, []) }
            : {
                ...parts,
                authInfoBytes: mutate(parts.authInfoBytes, shapeOf("cosmos.tx.v1beta1.AuthInfo"), named, []),
              };
        const bytes = judge.sign(changed, sample.signer);
        outcomes.add(judge.judge(bytes, sample.signer).code);
        expectAgreement(bytes, sample.signer);
      }),
      runs(300),
    );
    expect(outcomes.size).toBeGreaterThan(4);
  });

  test("of which any byte is changed is refused, and nobody pays for it", () => {
    fc.assert(
      fc.property(pick, decisions, pick, (which, named, other) => {
        const original = chosen(good, which);
        const { signer } = chosen(all, which);
        const damaged = damage(original, named, chosen(good, other));
        if (Buffer.compare(damaged, original) === 0) return;
        // What became another sample as it is, whole, is that one's.
        if (good.some((one) => Buffer.compare(one, damaged) === 0)) return;
        const { code, events } = judge.judge(damaged, signer);
        expect(code).not.toBe(0);
        expect(events).toEqual([]);
        expectAgreement(damaged, signer);
      }),
      runs(600),
    );
  });

  test("is refused where it is made of chance alone", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000, size: "max" }), (bytes) => {
        expect(judge.judge(bytes, "alice").code).not.toBe(0);
      }),
      runs(300),
    );
  });
});
