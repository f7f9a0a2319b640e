import { hkdfSync } from "node:crypto";
import type { AminoSignResponse, OfflineAminoSigner, StdSignDoc } from "@cosmjs/amino";
import type { AccountData, DirectSignResponse, OfflineDirectSigner } from "@cosmjs/proto-signing";
import type { SignDoc } from "cosmjs-types/cosmos/tx/v1beta1/tx";

/** Address prefix of an exchange that does not say otherwise (QueryParametersResponse.addressPrefix does). */
export const defaultAddressPrefix = "dcx";

/**
 * One secp256k1 key of one account. It signs transactions (`signDirect`) and statements (`signAmino`), and derives
 * secrets. Nothing on it prints or serializes the key.
 */
export interface AccountSigner extends OfflineDirectSigner, OfflineAminoSigner {
  readonly address: string;
  /** Compressed, 33 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes of HKDF-SHA-256 over the private key, with `purpose` as info. */
  deriveSecret(purpose: string): Uint8Array;
}

export interface SignerOptions {
  /** Default: "dcx". */
  readonly addressPrefix?: string;
}

/** BIP-39 mnemonic, BIP-32 path m/44'/118'/0'/0/<accountIndex>, derived once. Throws on a bad checksum. */
export async function signerFromMnemonic(
  mnemonic: string,
  options: SignerOptions & { readonly accountIndex?: number } = {},
): Promise<AccountSigner> {
  const [{ Bip39, EnglishMnemonic, Slip10, Slip10Curve }, { makeCosmoshubPath }] = await Promise.all([
    import("@cosmjs/crypto"),
    import("@cosmjs/amino"),
  ]);
  let seed: Uint8Array;
  try {
    seed = await Bip39.mnemonicToSeed(new EnglishMnemonic(mnemonic.trim().replace(/\s+/g, " ")));
  } catch {
    // The library's message may quote a word of it.
    throw new Error("The mnemonic is none: it needs 12 to 24 words of the English BIP-39 list, with a right checksum.");
  }
  const { privkey } = Slip10.derivePath(Slip10Curve.Secp256k1, seed, makeCosmoshubPath(options.accountIndex ?? 0));
  return signerFromPrivateKey(privkey, options);
}

/** `privateKey`: 32 bytes, or 64 hexadecimal digits. Throws when it is no secp256k1 key, without showing it. */
export async function signerFromPrivateKey(
  privateKey: Uint8Array | string,
  options: SignerOptions = {},
): Promise<AccountSigner> {
  const key = typeof privateKey === "string" ? bytesOfHex(privateKey) : Uint8Array.from(privateKey);
  const prefix = options.addressPrefix ?? defaultAddressPrefix;
  const [{ DirectSecp256k1Wallet }, { Secp256k1Wallet }] = await Promise.all([
    import("@cosmjs/proto-signing"),
    import("@cosmjs/amino"),
  ]);
  try {
    const [direct, amino] = await Promise.all([
      DirectSecp256k1Wallet.fromKey(key, prefix),
      Secp256k1Wallet.fromKey(key, prefix),
    ]);
    const [account] = await direct.getAccounts();
    if (account === undefined) throw new Error("a wallet without an account");
    return new KeySigner(key, direct, amino, account);
  } catch {
    throw new Error("The private key is none: it needs 32 bytes (64 hexadecimal digits) that are a secp256k1 key.");
  }
}

/** Holds everything in private fields, which neither JSON.stringify nor util.inspect shows. */
class KeySigner implements AccountSigner {
  readonly #key: Uint8Array;
  readonly #direct: OfflineDirectSigner;
  readonly #amino: OfflineAminoSigner;
  readonly #account: AccountData;

  constructor(key: Uint8Array, direct: OfflineDirectSigner, amino: OfflineAminoSigner, account: AccountData) {
    this.#key = key;
    this.#direct = direct;
    this.#amino = amino;
    this.#account = account;
  }

  get address(): string {
    return this.#account.address;
  }

  get publicKey(): Uint8Array {
    return Uint8Array.from(this.#account.pubkey);
  }

  async getAccounts(): Promise<readonly AccountData[]> {
    return [this.#account];
  }

  signDirect(signerAddress: string, signDoc: SignDoc): Promise<DirectSignResponse> {
    return this.#direct.signDirect(signerAddress, signDoc);
  }

  signAmino(signerAddress: string, signDoc: StdSignDoc): Promise<AminoSignResponse> {
    return this.#amino.signAmino(signerAddress, signDoc);
  }

  deriveSecret(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#key, "dcx", purpose, 32));
  }
}

function bytesOfHex(text: string): Uint8Array {
  return /^[0-9a-fA-F]{64}$/.test(text) ? Uint8Array.from(Buffer.from(text, "hex")) : new Uint8Array();
}
