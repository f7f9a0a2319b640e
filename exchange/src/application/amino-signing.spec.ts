import { makeSignDoc, serializeSignDoc } from "@cosmjs/amino";
import { AminoTypes, createDefaultAminoConverters } from "@cosmjs/stargate";
import { createAminoTypes, createRegistry, grantAllowanceMessage, messages, typeUrls } from "@dcx/protocol";
import { Fee } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { aminoSignText } from "./amino-signing";
import { EnvelopeError } from "./envelope-error";
import type { Transaction } from "./transaction";

const address = "dcx1l3e9pgs3mmwuwrh95fecme0s0qtn2880qc6d9s";
const coin = { denom: "udcx", amount: "7" };

/** What a transaction of these messages has beside the messages. */
function transactionOf(encoded: Transaction["messages"], memo = ""): Transaction {
  const fee = Fee.fromPartial({ amount: [coin], gasLimit: 200_000n });
  return {
    size: 0,
    hash: Buffer.alloc(32),
    bodyBytes: new Uint8Array(),
    authInfoBytes: new Uint8Array(),
    signatures: [],
    timeoutHeight: 0n,
    signers: [],
    messages: encoded,
    memo,
    fee,
  };
}

const grant = { granter: address, grantee: address, limit: 5n, messages: [typeUrls.send] };
const id = { tenant: address, sequence: 3n };
const samples = [
  messages.send(address, address, 5n, "udcx"),
  messages.submitDeployment({
    tenant: address,
    infrastructures: [{ name: "west", region: "us-west", resources: [{ price: "5", count: 2 }] }],
    waitDuration: 2n,
    version: new Uint8Array(32).fill(255),
    nonce: new Uint8Array(32),
    clientToken: new Uint8Array(32).fill(1),
  }),
  messages.updateDeployment({ sender: address, id, revision: 18_446_744_073_709_551_615n }),
  messages.cancelDeployment({ tenant: address, id, incarnation: 1n }),
  messages.registerDatacenter({ datacenter: address, region: "us-west" }),
  messages.giveNotice({ datacenter: address }),
  { typeUrl: typeUrls.delegate, value: { delegatorAddress: address, validatorAddress: "v", amount: coin } },
  { typeUrl: typeUrls.vote, value: { proposalId: 3n, voter: address, option: 1 } },
];

test.each(samples)("what is verified is what cosmjs signs: $typeUrl", async (message) => {
  const [registry, types] = await Promise.all([createRegistry(), createAminoTypes()]);
  const fee = { amount: [coin], gas: "200000" };
  const memo = `a "quoted" <memo> & \u2028 \u{1f680}`;
  const document = makeSignDoc([types.toAmino(message)], fee, "dcx-1", memo, 4, 9);
  const encoded = [{ typeUrl: message.typeUrl, value: registry.encode(message) }];
  expect(aminoSignText(transactionOf(encoded, memo), 9n, "dcx-1", 4n)).toBe(
    Buffer.from(serializeSignDoc(document)).toString(),
  );
});

test("messages of the Cosmos SDK are written as cosmjs writes them", async () => {
  const stock = new AminoTypes(createDefaultAminoConverters());
  const ours = await createAminoTypes();
  const amount = coin;
  for (const message of [
    messages.send(address, address, 5n, "udcx"),
    { typeUrl: typeUrls.delegate, value: { delegatorAddress: address, validatorAddress: "v", amount } },
    { typeUrl: typeUrls.undelegate, value: { delegatorAddress: address, validatorAddress: "v", amount } },
    {
      typeUrl: typeUrls.redelegate,
      value: { delegatorAddress: address, validatorSrcAddress: "v", validatorDstAddress: "w", amount },
    },
    { typeUrl: typeUrls.withdrawRewards, value: { delegatorAddress: address, validatorAddress: "v" } },
    { typeUrl: typeUrls.vote, value: { proposalId: 3n, voter: address, option: 1 } },
  ]) {
    expect(ours.toAmino(message)).toEqual(stock.toAmino(message));
    expect(ours.fromAmino(ours.toAmino(message))).toEqual(message);
  }
});

test("a grant is written as the SDK does", async () => {
  const types = await createAminoTypes();
  expect(types.toAmino(await grantAllowanceMessage(grant, "udcx"))).toEqual({
    type: "cosmos-sdk/MsgGrantAllowance",
    value: {
      granter: address,
      grantee: address,
      allowance: {
        type: "cosmos-sdk/AllowedMsgAllowance",
        value: {
          allowance: { type: "cosmos-sdk/BasicAllowance", value: { spend_limit: [{ denom: "udcx", amount: "5" }] } },
          allowed_messages: ["/cosmos.bank.v1beta1.MsgSend"],
        },
      },
    },
  });
});

test.each([
  ["an unknown type", { typeUrl: "/cosmos.authz.v1beta1.MsgExec", value: new Uint8Array() }],
  ["a name of Object's", { typeUrl: "constructor", value: new Uint8Array() }],
  ["bytes that are no message", { typeUrl: typeUrls.send, value: Buffer.from([0xff]) }],
  ["an unknown field", { typeUrl: typeUrls.send, value: Buffer.from([0xf8, 0x01, 0x01]) }],
  ["a grant of nothing", { typeUrl: typeUrls.grantAllowance, value: new Uint8Array() }],
  ["a text that is no UTF-8", { typeUrl: typeUrls.send, value: Buffer.from([0x0a, 0x01, 0xff]) }],
])("refuses %s", (_what, message) => {
  expect(() => aminoSignText(transactionOf([message]), 0n, "dcx-1", 0n)).toThrow(EnvelopeError);
});
