import { createECDH, hkdfSync } from "node:crypto";
import type { AminoSignResponse, OfflineAminoSigner, StdSignDoc } from "@cosmjs/amino";
import { toBech32 } from "@cosmjs/encoding";
import type { AccountData, DirectSignResponse, OfflineDirectSigner } from "@cosmjs/proto-signing";
import { ripemd160 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { SignDoc } from "cosmjs-types/cosmos/tx/v1beta1/tx";

/** Address prefix of an exchange that does not say otherwise (QueryParametersResponse.addressPrefix does). */
export const defaultAddressPrefix = "dcx";

/** Whoever signs for one account with its secp256k1 key: transactions (`signDirect`) and statements (`signAmino`). */
export interface AccountSigner extends OfflineDirectSigner, OfflineAminoSigner {
  readonly address: string;
  /** Compressed, 33 bytes. */
  readonly publicKey: Uint8Array;
}

/** A signer that holds the key itself. Nothing on it prints or serializes the key. */
export interface KeySigner extends AccountSigner {
  /** 32 bytes of HKDF-SHA-256 over the private key, with `purpose` as info. */
  deriveSecret(purpose: string): Uint8Array;
}

/** Whether secrets can be derived from its key: not where that is kept elsewhere. */
export function holdsKey(signer: AccountSigner): signer is KeySigner {
  return "deriveSecret" in signer;
}

export interface SignerOptions {
  /** Default: "dcx". */
  readonly addressPrefix?: string;
}

/** BIP-39 mnemonic, BIP-32 path m/44'/118'/0'/0/<accountIndex>, derived once. Throws on a bad checksum. */
export async function signerFromMnemonic(
  mnemonic: string,
  options: SignerOptions & { readonly accountIndex?: number } = {},
): Promise<KeySigner> {
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
): Promise<KeySigner> {
  const key = typeof privateKey === "string" ? bytesOfHex(privateKey) : Uint8Array.from(privateKey);
  const prefix = options.addressPrefix ?? defaultAddressPrefix;
  const pubkey = publicKeyOf(key);
  const address = addressOfKey(pubkey, prefix);
  return new LocalSigner(key, prefix, { algo: "secp256k1", address, pubkey });
}

/** The account of a compressed public key. ADR-28, "legacy" rule. */
export function addressOfKey(publicKey: Uint8Array, addressPrefix: string): string {
  return toBech32(addressPrefix, ripemd160(sha256(publicKey)));
}

function publicKeyOf(key: Uint8Array): Uint8Array {
  try {
    if (key.length !== 32) throw new RangeError("another length");
    const pair = createECDH("secp256k1");
    pair.setPrivateKey(key);
    return Uint8Array.from(pair.getPublicKey(null, "compressed"));
  } catch {
    throw new Error("The private key is none: it needs 32 bytes (64 hexadecimal digits) that are a secp256k1 key.");
  }
}

/** Holds everything in private fields, which neither JSON.stringify nor util.inspect shows. */
class LocalSigner implements KeySigner {
  readonly #key: Uint8Array;
  readonly #prefix: string;
  readonly #account: AccountData;
  #direct: Promise<OfflineDirectSigner> | undefined;
  #amino: Promise<OfflineAminoSigner> | undefined;

  constructor(key: Uint8Array, prefix: string, account: AccountData) {
    this.#key = key;
    this.#prefix = prefix;
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

  // What signs is loaded when something is signed: most of what asks for an account never does.
  async signDirect(signerAddress: string, signDoc: SignDoc): Promise<DirectSignResponse> {
    this.#direct ??= import("@cosmjs/proto-signing").then(({ DirectSecp256k1Wallet }) =>
      DirectSecp256k1Wallet.fromKey(this.#key, this.#prefix),
    );
    return (await this.#direct).signDirect(signerAddress, signDoc);
  }

  async signAmino(signerAddress: string, signDoc: StdSignDoc): Promise<AminoSignResponse> {
    this.#amino ??= import("@cosmjs/amino").then(({ Secp256k1Wallet }) =>
      Secp256k1Wallet.fromKey(this.#key, this.#prefix),
    );
    return (await this.#amino).signAmino(signerAddress, signDoc);
  }

  deriveSecret(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#key, "dcx", purpose, 32));
  }
}

function bytesOfHex(text: string): Uint8Array {
  return /^[0-9a-fA-F]{64}$/.test(text) ? Uint8Array.from(Buffer.from(text, "hex")) : new Uint8Array();
}
