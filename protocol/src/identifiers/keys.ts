import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { frame } from "./frame";

/** 32 secret bytes from which everything that a tenant must be able to compute again is derived (design: K). */
export type TenantKey = Uint8Array;

/** K of a signer whose private key is at hand. Neither can be computed from the other's outputs. */
export function tenantKeyFromPrivateKey(privateKey: Uint8Array): TenantKey {
  return derive(privateKey, "private key");
}

/** K of a signer that never shows its key: from the secret `namespaceKey` of the configuration. */
export function tenantKeyFromSecret(namespaceKey: string): TenantKey {
  return derive(utf8ToBytes(namespaceKey), "namespace key");
}

/**
 * Names what a resource creates, before it exists: 32 bytes, HMAC(K, URN, namespace). The chain creates at most one
 * active deployment for it.
 */
export function clientToken(key: TenantKey, urn: string, namespace: string): Uint8Array {
  return hmac(sha256, key, frame("dcx client token v1", urn, namespace));
}

/**
 * The manifest's salt, in hexadecimal: HMAC(K, "salt", token, nonce). Fixed for the deployment's life, secret, and
 * computable again from what the chain keeps.
 */
export function manifestSalt(key: TenantKey, token: Uint8Array, nonce: Uint8Array): string {
  return bytesToHex(hmac(sha256, key, frame("dcx manifest salt v1", token, nonce)));
}

/** The `owner` of a stamp, in hexadecimal: HMAC(K, URN). */
export function ownerStamp(key: TenantKey, urn: string): string {
  return bytesToHex(hmac(sha256, key, frame("dcx owner stamp v1", urn)));
}

function derive(secret: Uint8Array, source: string): TenantKey {
  return hkdf(sha256, secret, utf8ToBytes("dcx"), utf8ToBytes(`dcx tenant key v1 from ${source}`), 32);
}
