import { type KeySigner, type SignerOptions, signerFromMnemonic, signerFromPrivateKey } from "./account-signer";

/** A key as a person keeps it. */
export type KeyMaterial =
  | { readonly kind: "mnemonic"; readonly mnemonic: string }
  /** 64 hexadecimal digits. */
  | { readonly kind: "privateKey"; readonly privateKey: string };

/** Reads 12 to 24 words, or 64 hexadecimal digits with or without 0x. `undefined`: it is neither. */
export function parseKeyMaterial(text: string): KeyMaterial | undefined {
  const privateKey = parsePrivateKey(text);
  if (privateKey !== undefined) return { kind: "privateKey", privateKey };
  const mnemonic = parseMnemonic(text);
  return mnemonic === undefined ? undefined : { kind: "mnemonic", mnemonic };
}

/** 64 lower-case hexadecimal digits. */
export function parsePrivateKey(text: string): string | undefined {
  const digits = text.trim().replace(/^0x/i, "").toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}

/** Words with one space between them; whether they are of the list is seen when they are used. */
export function parseMnemonic(text: string): string | undefined {
  const words = text.trim().split(/\s+/);
  const plausible = [12, 15, 18, 21, 24].includes(words.length) && words.every((word) => /^[a-z]{3,8}$/.test(word));
  return plausible ? words.join(" ") : undefined;
}

/** Throws where it is no key, without showing it. */
export function signerFromMaterial(material: KeyMaterial, options: SignerOptions = {}): Promise<KeySigner> {
  return material.kind === "mnemonic"
    ? signerFromMnemonic(material.mnemonic, options)
    : signerFromPrivateKey(material.privateKey, options);
}
