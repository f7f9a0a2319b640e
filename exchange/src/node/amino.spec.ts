import { Secp256k1HdWallet } from "@cosmjs/amino";
import { coins, SigningStargateClient } from "@cosmjs/stargate";
import {
  createAminoTypes,
  createRegistry,
  grantAllowanceMessage,
  messages,
  revokeAllowanceMessage,
  typeUrls,
  voteMessage,
} from "@dcx/protocol";
import { MsgVote } from "cosmjs-types/cosmos/gov/v1beta1/tx";
import { TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { type ServedNode, smallDeployment, startServedNode } from "../gateway/testing/served-node";

jest.setTimeout(120_000);

/** A wallet that signs amino JSON alone, as a Ledger does, with stock cosmjs. */

let served: ServedNode;
let wallet: Secp256k1HdWallet;
let address: string;
let client: SigningStargateClient;
const fee = { amount: coins(100_000, "udcx"), gas: "1000000" };

beforeAll(async () => {
  served = await startServedNode({});
  wallet = await Secp256k1HdWallet.generate(12, { prefix: "dcx" });
  address = (await wallet.getAccounts())[0]?.address ?? "";
  await served.client.submit([messages.send(served.tenant.address, address, 100_000_000n, "udcx")]);
  client = await SigningStargateClient.connectWithSigner(served.node.rpcUrl, wallet, {
    registry: await createRegistry(),
    aminoTypes: await createAminoTypes(),
    broadcastPollIntervalMs: 50,
  });
});

afterAll(async () => {
  client.disconnect();
  await served.close();
});

it("sends tokens, deploys and changes what it deployed", async () => {
  const memo = "<b>ünïcode</b> & \u2028more";
  const send = messages.send(address, served.tenant.address, 5n, "udcx");
  const deploy = smallDeployment(address, 1);
  const created = await client.signAndBroadcast(address, [send, deploy], fee, memo);
  expect(created.rawLog).toBe("");
  expect(created.code).toBe(0);
  const id = { tenant: address, sequence: 1n };
  const update = messages.updateDeployment({
    sender: address,
    id,
    revision: 1n,
    manifest: { version: new Uint8Array(32).fill(9), entries: 2 },
  });
  const cancel = messages.cancelDeployment({ tenant: address, id, incarnation: 1n });
  for (const message of [update, cancel]) {
    const { code, rawLog } = await client.signAndBroadcast(address, [message], fee);
    expect({ code, rawLog }).toEqual({ code: 0, rawLog: "" });
  }
});

it("grants fees and takes the grant back", async () => {
  const grant = { granter: address, grantee: served.tenant.address, limit: 10n, messages: [typeUrls.send] };
  const revoke = revokeAllowanceMessage(address, served.tenant.address);
  for (const message of [await grantAllowanceMessage(grant, "udcx"), revoke]) {
    const { code, rawLog } = await client.signAndBroadcast(address, [message], fee);
    expect({ code, rawLog }).toEqual({ code: 0, rawLog: "" });
  }
});

it("may say until which height it counts", async () => {
  const { height } = served.node;
  const send = messages.send(address, served.tenant.address, 5n, "udcx");
  const { code } = await client.signAndBroadcast(address, [send], fee, "", height + 1_000n);
  expect(code).toBe(0);
});

it("signs for one chain, account, sequence and content", async () => {
  const send = messages.send(address, served.tenant.address, 5n, "udcx");
  const { accountNumber, sequence } = await client.getSequence(address);
  const chainId = "dcx-served";
  const signed = await client.sign(address, [send], fee, "", { accountNumber, sequence, chainId });
  const other = messages.send(address, served.tenant.address, 6n, "udcx");
  const registry = await createRegistry();
  const altered = (change: Partial<TxBody>) => {
    const body = { ...TxBody.decode(signed.bodyBytes), ...change };
    return TxRaw.encode({ ...signed, bodyBytes: TxBody.encode(body).finish() }).finish();
  };
  const [message] = TxBody.decode(signed.bodyBytes).messages;
  const elsewhere = await client.sign(address, [send], fee, "", { accountNumber, sequence, chainId: "dcx-other" });
  const another = await client.sign(address, [send], fee, "", { accountNumber: accountNumber + 1n, sequence, chainId });
  // An unknown field, which the JSON does not show.
  const padded = Buffer.concat([message?.value ?? new Uint8Array(), Buffer.from([0xf8, 0x01, 0x01])]);
  for (const bytes of [
    altered({ memo: "another" }),
    altered({ timeoutHeight: 1_000_000n }),
    altered({ messages: [{ typeUrl: send.typeUrl, value: registry.encode(other) }] }),
    altered({ messages: [{ typeUrl: send.typeUrl, value: padded }] }),
    TxRaw.encode(elsewhere).finish(),
    TxRaw.encode(another).finish(),
  ]) {
    await expect(client.broadcastTx(bytes)).rejects.toThrow(
      /verification failed|fields that this exchange does not know/,
    );
  }
  expect((await client.broadcastTx(TxRaw.encode(signed).finish())).code).toBe(0);
});

it("votes as stock cosmjs does, whose types for it are the same", async () => {
  const vote = voteMessage(address, 1n, 1);
  const types = await createAminoTypes();
  expect(types.toAmino(vote)).toEqual({
    type: "cosmos-sdk/MsgVote",
    value: { option: 1, proposal_id: "1", voter: address },
  });
  expect(MsgVote.fromPartial(types.fromAmino(types.toAmino(vote)).value)).toEqual(vote.value);
});
