import { AccountRecord, Deployment } from "@dcx/protocol";
import { TxBody } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { ExecTxResult } from "cosmjs-types/tendermint/abci/types";
import fc from "fast-check";
import { encode, isEncodingOf } from "./encode";

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.string({ unit: "binary" });
const bytes = fc.uint8Array({ maxLength: 300 });

it("writes what the encoder's own writer does, one message after the other", () => {
  const result = fc.record({
    code: fc.nat(),
    data: bytes,
    log: text,
    info: text,
    gasWanted: int64,
    gasUsed: int64,
    events: fc.array(
      fc.record({
        type: text,
        attributes: fc.array(fc.record({ key: text, value: text, index: fc.boolean() }), { maxLength: 4 }),
      }),
      { maxLength: 4 },
    ),
    codespace: text,
  });
  const body = fc
    .record({ messages: fc.array(fc.record({ typeUrl: text, value: bytes })), memo: text, timeoutHeight: uint64 })
    .map((one) => TxBody.fromPartial(one));
  const account = fc.record({
    address: text,
    publicKey: bytes,
    accountNumber: uint64,
    sequence: uint64,
    balance: uint64,
  });
  fc.assert(
    fc.property(result, body, account, (one, other, third) => {
      expect(Buffer.from(encode(ExecTxResult, one))).toEqual(Buffer.from(ExecTxResult.encode(one).finish()));
      expect(Buffer.from(encode(TxBody, other))).toEqual(Buffer.from(TxBody.encode(other).finish()));
      expect(encode(AccountRecord, third)).toEqual(AccountRecord.encode(third).finish());
    }),
  );
});

it("keeps nothing of a message that it could not encode", () => {
  const deployment = Deployment.fromPartial({ clientToken: new Uint8Array(32), revision: 2n ** 64n });
  expect(() => encode(Deployment, deployment)).toThrow("revision");
  expect(encode(Deployment, Deployment.fromPartial({ revision: 1n }))).toEqual(
    Deployment.encode(Deployment.fromPartial({ revision: 1n })).finish(),
  );
});

it("leaves texts that are no Unicode to the encoder's own writer", () => {
  const surrogate = Buffer.from([0x12, 3, 0xed, 0xa0, 0x80]);
  expect(isEncodingOf(surrogate, TxBody, TxBody.decode(surrogate))).toBe(true);
  const overlong = Buffer.from([0x12, 2, 0xc0, 0x80]);
  expect(isEncodingOf(overlong, TxBody, TxBody.decode(overlong))).toBe(false);
});
