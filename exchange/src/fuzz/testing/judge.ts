import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { PubKey } from "cosmjs-types/cosmos/crypto/secp256k1/keys";
import { SignMode } from "cosmjs-types/cosmos/tx/signing/v1beta1/signing";
import { AuthInfo, SignDoc, TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { CheckTxType, type ExecTxResult, RequestFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import { ecdsaSign } from "secp256k1";
import { EnvelopeErrorCode } from "../../application/envelope-error";
import type { SignedChain } from "../../application/testing/signed-chain";
import type { EncodedMessage } from "../../application/transaction";
import { chainId } from "../../state/testing/genesis";
import { addressOf, keyOf, publicKeyOf } from "../../state/testing/names";
import { sha256 } from "../../storage/sha256";
import { count } from "./runs";

/** Milliseconds beyond which an input counts as one that hangs the node. */
const patience = 5_000;

/** What a transaction is made of before it is signed. */
export interface Parts {
  readonly bodyBytes: Uint8Array;
  readonly authInfoBytes: Uint8Array;
}

export interface Signing {
  readonly chainId?: string;
  readonly accountNumber?: bigint;
  readonly sequence?: bigint;
}

/**
 * Tries transactions on a chain without ever committing one: what a block with it would lead to is compared with what
 * the same block without it, or with one whose only effect are its fee and its sequence, leads to.
 */
export class Judge {
  readonly #unchanged: string;
  readonly #afterFailure = new Map<string, string>();

  constructor(private readonly chain: SignedChain) {
    this.#unchanged = this.execute(undefined).appHash;
  }

  /** A transaction of one signer, by its name, before it is signed. */
  parts(messages: readonly EncodedMessage[], signer: string, { sequence }: Signing = {}): Parts {
    const value = PubKey.encode({ key: publicKeyOf(signer) }).finish();
    const info = {
      publicKey: { typeUrl: "/cosmos.crypto.secp256k1.PubKey", value },
      modeInfo: { single: { mode: SignMode.SIGN_MODE_DIRECT } },
      sequence: sequence ?? this.chain.sequenceOf(addressOf(signer)),
    };
    const authInfo = AuthInfo.fromPartial({ signerInfos: [info], fee: { amount: [], gasLimit: 5_000_000n } });
    return {
      bodyBytes: TxBody.encode(TxBody.fromPartial({ messages: [...messages] })).finish(),
      authInfoBytes: AuthInfo.encode(authInfo).finish(),
    };
  }

  sign({ bodyBytes, authInfoBytes }: Parts, signer: string, given: Signing = {}): Uint8Array {
    const accountNumber = given.accountNumber ?? this.chain.numberOf(addressOf(signer));
    const document = SignDoc.encode({
      bodyBytes,
      authInfoBytes,
      chainId: given.chainId ?? chainId,
      accountNumber,
    }).finish();
    const { signature } = ecdsaSign(sha256(document), keyOf(signer));
    return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [signature] }).finish();
  }

  /**
   * Has a transaction checked and executed, and says how a block takes it.
   * @throws where it meets a defect, takes too long, or changes anything though it is refused
   */
  judge(bytes: Uint8Array, signer: string): ExecTxResult {
    count();
    const began = performance.now();
    const checked = this.chain.application.checkTx({ tx: bytes, type: CheckTxType.NEW });
    const { result, appHash } = this.execute(bytes);
    const took = performance.now() - began;
    if (took > patience) throw new Error(`it took ${took} ms`);
    for (const { code, codespace, log } of [checked, result])
      if (codespace === "sdk" && code === EnvelopeErrorCode.Internal) throw new Error(`it meets a defect: ${log}`);
    if (result.code === 0) return result;
    // Who is refused for the envelope pays nothing: it has no events.
    const expected = result.events.length === 0 ? this.#unchanged : this.afterFailure(signer);
    if (appHash !== expected) throw new Error(`it is refused (${result.log}), and changes the state`);
    return result;
  }

  /** Runs a block of it, which is not committed. */
  private execute(bytes: Uint8Array | undefined): { readonly result: ExecTxResult; readonly appHash: string } {
    const { application, height } = this.chain;
    const part = this.chain.propose([]);
    const txs = bytes === undefined ? part : [...part, bytes];
    const { txResults, appHash } = application.finalizeBlock(RequestFinalizeBlock.fromPartial({ txs, height }));
    const result = txResults[part.length];
    if (bytes !== undefined && result === undefined) throw new Error("the block has no result of it");
    return { result: result ?? txResultOfNothing, appHash: Buffer.from(appHash).toString("hex") };
  }

  /** The app hash after a transaction that fails by its message: the sender has more than it has. */
  private afterFailure(signer: string): string {
    const known = this.#afterFailure.get(signer);
    if (known !== undefined) return known;
    const address = addressOf(signer);
    const amount = [{ denom: "udcx", amount: "9000000000000000000" }];
    const value = MsgSend.encode({ fromAddress: address, toAddress: address, amount }).finish();
    const message = { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
    const { result, appHash } = this.execute(this.sign(this.parts([message], signer), signer));
    if (result.code === 0 || result.events.length === 0)
      throw new Error("the transaction to compare with did not fail");
    this.#afterFailure.set(signer, appHash);
    return appHash;
  }
}

const txResultOfNothing: ExecTxResult = {
  code: 0,
  data: new Uint8Array(),
  log: "",
  info: "",
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
  codespace: "",
};
