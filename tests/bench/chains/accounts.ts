import { createHash } from "node:crypto";
import { encodeSecp256k1Pubkey } from "@cosmjs/amino";
import {
  DirectSecp256k1Wallet,
  type EncodeObject,
  encodePubkey,
  makeAuthInfoBytes,
  makeSignDoc,
  type Registry,
} from "@cosmjs/proto-signing";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";

export interface Fee {
  readonly amount: readonly { readonly denom: string; readonly amount: string }[];
  readonly gas: bigint;
}

/** An account that signs for itself, with its sequence counted here: transactions are signed long before they are sent. */
export class BenchAccount {
  private constructor(
    readonly address: string,
    /** In hexadecimal. */
    readonly privateKey: string,
    private readonly wallet: DirectSecp256k1Wallet,
    private readonly publicKey: Uint8Array,
    public accountNumber: bigint,
    public sequence: bigint,
  ) {}

  /** The account that a word stands for: the same word, the same key. */
  static async named(word: string, prefix: string): Promise<BenchAccount> {
    const key = createHash("sha256").update(`dcx bench ${word}`).digest();
    const wallet = await DirectSecp256k1Wallet.fromKey(key, prefix);
    const [account] = await wallet.getAccounts();
    if (account === undefined) {
      throw new Error("a wallet without an account");
    }
    return new BenchAccount(account.address, key.toString("hex"), wallet, account.pubkey, 0n, 0n);
  }

  /** The encoded transaction under the next sequence, which it takes. */
  async sign(registry: Registry, chainId: string, message: EncodeObject, fee: Fee): Promise<Uint8Array> {
    const bodyBytes = registry.encodeTxBody({ messages: [message] });
    const authInfoBytes = makeAuthInfoBytes(
      [{ pubkey: encodePubkey(encodeSecp256k1Pubkey(this.publicKey)), sequence: Number(this.sequence) }],
      [...fee.amount],
      Number(fee.gas),
      undefined,
      undefined,
    );
    const { signature, signed } = await this.wallet.signDirect(
      this.address,
      makeSignDoc(bodyBytes, authInfoBytes, chainId, Number(this.accountNumber)),
    );
    this.sequence += 1n;
    return TxRaw.encode({
      bodyBytes: signed.bodyBytes,
      authInfoBytes: signed.authInfoBytes,
      signatures: [Buffer.from(signature.signature, "base64")],
    }).finish();
  }
}
