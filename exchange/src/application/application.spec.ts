import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBech32 } from "@cosmjs/encoding";
import { DirectSecp256k1Wallet, makeAuthInfoBytes, makeSignDoc, Registry } from "@cosmjs/proto-signing";
import { defaultRegistryTypes } from "@cosmjs/stargate";
import { Genesis, MsgSubmitLease } from "@dcx/protocol";
import { QueryBalanceRequest, QueryBalanceResponse } from "cosmjs-types/cosmos/bank/v1beta1/query";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { PubKey } from "cosmjs-types/cosmos/crypto/secp256k1/keys";
import { SimulateRequest } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import {
  CheckTxType,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  RequestProcessProposal,
  ResponseProcessProposal_ProposalStatus as Status,
} from "cosmjs-types/tendermint/abci/types";
import { Application } from "./application";
import { defaultGenesis } from "./default-genesis";
import { exchangeMachine } from "./exchange-machine";
import type { StateMachine } from "./state-machine";
import type { EncodedMessage } from "./transaction";

const chainId = "dcx-application-1";
const registry = new Registry(defaultRegistryTypes);
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly application: Application;
  readonly address: string;
  sign(messages: readonly EncodedMessage[], sequence: number, change?: (body: TxBody) => TxBody): Promise<Uint8Array>;
  send(amount: string): EncodedMessage;
  balance(): string;
}

async function startWorld(machine: StateMachine = exchangeMachine): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), "dcx-application-"));
  closers.push(() => rmSync(home, { recursive: true, force: true }));
  const application = new Application({ path: home, machine });
  closers.push(() => application.close());
  const wallet = await DirectSecp256k1Wallet.fromKey(new Uint8Array(32).fill(4), "dcx");
  const [account] = await wallet.getAccounts();
  if (account === undefined) throw new Error("the wallet has no account");
  const { address, pubkey } = account;
  const genesis = defaultGenesis({ chainId, accounts: [{ address, balance: 1_000_000n }] });
  const appStateBytes = Buffer.from(JSON.stringify(Genesis.toJSON(genesis)));
  application.initChain(RequestInitChain.fromPartial({ chainId, appStateBytes, initialHeight: 1n }));
  const key = { typeUrl: "/cosmos.crypto.secp256k1.PubKey", value: PubKey.encode({ key: pubkey }).finish() };
  return {
    application,
    address,
    send: (amount) => ({
      typeUrl: "/cosmos.bank.v1beta1.MsgSend",
      value: registry.encode({
        typeUrl: "/cosmos.bank.v1beta1.MsgSend",
        value: { fromAddress: address, toAddress: address, amount: [{ denom: "udcx", amount }] },
      }),
    }),
    sign: async (messages, sequence, change = (body) => body) => {
      const body = change(TxBody.fromPartial({ messages: [...messages] }));
      const fee = [{ denom: "udcx", amount: "100" }];
      const authInfo = makeAuthInfoBytes([{ pubkey: key, sequence }], fee, 200_000, undefined, undefined);
      const document = makeSignDoc(TxBody.encode(body).finish(), authInfo, chainId, 0n);
      const { signature } = await wallet.signDirect(address, document);
      return TxRaw.encode({
        bodyBytes: document.bodyBytes,
        authInfoBytes: document.authInfoBytes,
        signatures: [Buffer.from(signature.signature, "base64")],
      }).finish();
    },
    balance: () => {
      const data = QueryBalanceRequest.encode({ address, denom: "udcx" }).finish();
      const answer = application.query({ path: "/cosmos.bank.v1beta1.Query/Balance", data, height: 0n, prove: false });
      return QueryBalanceResponse.decode(answer.value).balance?.amount ?? "";
    },
  };
}

const finalize = (txs: Uint8Array[], height = 1n) => RequestFinalizeBlock.fromPartial({ txs, height });

/** The exchange, with a facilitator that has one thing to do in every block. */
const busyFacilitator: StateMachine = {
  ...exchangeMachine,
  facilitatorPart: (_, height) => [
    {
      typeUrl: "/dcx.exchange.v1.MsgSubmitLease",
      value: MsgSubmitLease.encode({ fulfillment: { order: undefined, index: Number(height) } }).finish(),
    },
  ],
};

describe("the application", () => {
  test("shows queries and checks the last committed state until the commit", async () => {
    const { application, sign, send, balance } = await startWorld();
    const before = application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    const transaction = await sign([send("1")], 0);
    const { txResults, appHash } = application.finalizeBlock(finalize([transaction]));
    expect(txResults[0]).toMatchObject({ code: 0 });
    expect(balance()).toBe("1000000");
    expect(application.checkTx({ tx: transaction, type: CheckTxType.NEW }).code).toBe(0);
    expect(application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" })).toEqual(before);
    application.commit();
    expect(balance()).toBe("999900");
    expect(application.checkTx({ tx: transaction, type: CheckTxType.NEW }).code).toBe(32);
    const after = application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    expect(after).toMatchObject({ lastBlockHeight: 1n, lastBlockAppHash: appHash });
  });

  test("keeps fee and sequence of a transaction that fails, and none of its messages", async () => {
    const { application, sign, send, balance } = await startWorld();
    const failing = await sign([send("5"), send("99999999")], 0);
    const next = await sign([send("5")], 1);
    const { txResults } = application.finalizeBlock(finalize([failing, next]));
    expect(txResults.map((one) => one.code)).toEqual([6, 0]);
    expect(txResults[0]?.events.map((event) => event.type)).not.toContain("transfer");
    application.commit();
    expect(balance()).toBe("999800");
  });

  test("refuses fields that it does not know, also those that clients call non-critical", async () => {
    const { application, sign, send } = await startWorld();
    const raw = TxRaw.decode(await sign([send("1")], 0));
    // Field 2047 of a body, and field 4 of a transaction.
    const bodyBytes = Buffer.concat([raw.bodyBytes, Uint8Array.of(0xfa, 0x7f, 0x01, 0x00)]);
    const unknownInBody = TxRaw.encode({ ...raw, bodyBytes }).finish();
    const unknownOutside = Buffer.concat([TxRaw.encode(raw).finish(), Uint8Array.of(0x22, 0x01, 0x00)]);
    for (const tx of [unknownInBody, unknownOutside]) {
      expect(application.checkTx({ tx, type: CheckTxType.NEW })).toMatchObject({ code: 2, codespace: "sdk" });
    }
    const option = await sign([send("1")], 0, (body) => ({ ...body, nonCriticalExtensionOptions: [send("1")] }));
    expect(application.checkTx({ tx: option, type: CheckTxType.NEW })).toMatchObject({ code: 31 });
  });

  test("refuses a transaction that more accounts are to sign than a limit, wherever it comes from", async () => {
    const { application, sign } = await startWorld();
    const signed = (count: number) =>
      sign(
        Array.from({ length: count }, (_, index) => {
          const fromAddress = toBech32("dcx", new Uint8Array(20).fill(index));
          const amount = [{ denom: "udcx", amount: "1" }];
          const value = MsgSend.encode({ fromAddress, toAddress: fromAddress, amount }).finish();
          return { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
        }),
        0,
      );
    const [most, tooMany] = [await signed(7), await signed(8)];
    const check = (tx: Uint8Array) => application.checkTx({ tx, type: CheckTxType.NEW });
    expect(check(most).log).toContain("expected 7, got 1");
    expect(check(tooMany)).toMatchObject({ code: 14, codespace: "sdk", log: expect.stringContaining("limit: 7") });
    const data = SimulateRequest.encode(SimulateRequest.fromPartial({ txBytes: tooMany })).finish();
    const path = "/cosmos.tx.v1beta1.Service/Simulate";
    application.finalizeBlock(finalize([]));
    application.commit();
    expect(application.query({ path, data, height: 0n, prove: false }).code).toBe(14);
    const proposed = RequestProcessProposal.fromPartial({ txs: [tooMany], height: 2n });
    expect(application.processProposal(proposed).status).toBe(Status.REJECT);
    expect(application.finalizeBlock(finalize([most, tooMany], 2n)).txResults.map(({ code }) => code)).toEqual([4, 14]);
  });

  test("refuses what is sent in a name that is longer than any key, and is asked for one", async () => {
    const { application, sign } = await startWorld();
    const fromAddress = "a".repeat(20_000);
    const value = MsgSend.encode(MsgSend.fromPartial({ fromAddress })).finish();
    const tx = await sign([{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }], 0);
    expect(application.checkTx({ tx, type: CheckTxType.NEW })).toMatchObject({ code: 9, codespace: "sdk" });
    expect(application.finalizeBlock(finalize([tx])).txResults).toMatchObject([{ code: 9 }]);
    application.commit();
    const data = Buffer.from(fromAddress);
    const entry = application.query({ path: "/store/dcx/key", data, height: 0n, prove: true });
    expect(entry).toMatchObject({ code: 0, value: new Uint8Array() });
  });

  test("refuses a transaction after its timeout height", async () => {
    const { application, sign, send } = await startWorld();
    const late = await sign([send("1")], 0, (body) => ({ ...body, timeoutHeight: 1n }));
    expect(application.checkTx({ tx: late, type: CheckTxType.NEW }).code).toBe(0);
    application.finalizeBlock(finalize([]));
    application.commit();
    expect(application.checkTx({ tx: late, type: CheckTxType.NEW }).code).toBe(30);
  });

  test("puts the facilitator's part first, and takes no block that differs from it by a byte", async () => {
    const { application, sign, send } = await startWorld(busyFacilitator);
    const own = await sign([send("1")], 0);
    const request = RequestPrepareProposal.fromPartial({ txs: [own], height: 1n, maxTxBytes: 1_000_000n });
    const { txs } = application.prepareProposal(request);
    expect(txs).toHaveLength(2);
    expect(txs[1]).toEqual(own);
    const [part = new Uint8Array()] = txs;
    const judge = (block: Uint8Array[]) =>
      application.processProposal(RequestProcessProposal.fromPartial({ txs: block, height: 1n })).status;
    expect(judge(txs)).toBe(Status.ACCEPT);
    expect(judge([own])).toBe(Status.REJECT);
    expect(judge([])).toBe(Status.REJECT);
    expect(judge([own, part])).toBe(Status.REJECT);
    expect(judge([part, own, part])).toBe(Status.REJECT);
    const changed = Buffer.from(part);
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);
    expect(judge([changed, own])).toBe(Status.REJECT);
    expect(() => application.finalizeBlock(finalize([changed, own]))).toThrow(changed.toString("hex"));
    expect(() => application.finalizeBlock(finalize([own]))).toThrow(Buffer.from(part).toString("hex"));
    expect(application.checkTx({ tx: part, type: CheckTxType.NEW }).code).toBe(4);
    expect(application.finalizeBlock(finalize(txs)).txResults[1]).toMatchObject({ code: 0 });
  });

  test("makes a failed transaction of a handler's defect, and stops for the machine's", async () => {
    const thrown: unknown[] = [new TypeError("undefined is not a function"), new RangeError("call stack")];
    const faulty: StateMachine = {
      ...exchangeMachine,
      applyMessage: () => {
        throw thrown.shift();
      },
    };
    const { application, sign, send } = await startWorld(faulty);
    const first = await sign([send("1")], 0);
    expect(application.finalizeBlock(finalize([first])).txResults[0]).toMatchObject({ code: 1, codespace: "sdk" });
    application.commit();
    const second = await sign([send("1")], 1);
    expect(() => application.finalizeBlock(finalize([second], 2n))).toThrow(RangeError);
  });

  test("comes to the same app hash with the same blocks", async () => {
    const hashes: Uint8Array[] = [];
    for (let run = 0; run < 2; run++) {
      const { application, sign, send } = await startWorld();
      for (let height = 1n; height <= 3n; height++) {
        const block = [await sign([send("1")], Number(height) - 1)];
        hashes.push(application.finalizeBlock(finalize(block, height)).appHash);
        application.commit();
      }
    }
    expect(hashes.slice(0, 3)).toEqual(hashes.slice(3));
  });
});
