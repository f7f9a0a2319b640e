import type { OfflineAminoSigner } from "@cosmjs/amino";
import type { OfflineDirectSigner } from "@cosmjs/proto-signing";

/** Address prefix of an exchange that does not say otherwise (Parameters.addressPrefix does). */
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
  _mnemonic: string,
  _options?: SignerOptions & { readonly accountIndex?: number },
): Promise<AccountSigner> {
  throw new Error("Not there yet.");
}

/** `privateKey`: 32 bytes, or 64 hexadecimal digits. Throws when it is no secp256k1 key, without showing it. */
export async function signerFromPrivateKey(
  _privateKey: Uint8Array | string,
  _options?: SignerOptions,
): Promise<AccountSigner> {
  throw new Error("Not there yet.");
}
