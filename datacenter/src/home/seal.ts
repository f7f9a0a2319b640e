import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Encrypts what lies on disk with AES-256-GCM. What is sealed under one name can't be passed off under another.
 * design: "The manifest" (it holds secrets and never lies anywhere in the open).
 */
export interface Seal {
  /** Returns nonce, ciphertext and tag in one buffer. */
  close(name: string, plain: Uint8Array): Buffer;
  /** Throws when `sealed` was changed, or was sealed under another name or key. */
  open(name: string, sealed: Uint8Array): Buffer;
}

/** @param key 32 bytes */
export function createSeal(key: Uint8Array): Seal {
  return {
    close(name, plain) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(name));
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(name, sealed) {
      if (sealed.length < nonceBytes + tagBytes) throw new Error(`what is sealed as "${name}" is cut short`);
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceBytes))
        .setAAD(Buffer.from(name))
        .setAuthTag(sealed.subarray(sealed.length - tagBytes));
      try {
        return Buffer.concat([
          decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes)),
          decipher.final(),
        ]);
      } catch (cause) {
        throw new Error(`what is sealed as "${name}" was changed, or its key (seal.key) was replaced`, { cause });
      }
    },
  };
}
