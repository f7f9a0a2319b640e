import { z } from "zod";

/**
 * How an account's key is used where it is kept: in a hardware module, a cloud's key service, on another machine.
 * A request is one JSON object, its answer another: over standard input and output of a command that is run for each,
 * or as the body of an HTTPS POST and its response. docs/external-signer.md describes it for whoever writes one.
 */
export const signerProtocolVersion = 1;

const version = z.literal(signerProtocolVersion);
const base64 = z.base64();

export const SignerRequest = z.discriminatedUnion("operation", [
  z.object({
    dcxSigner: version,
    operation: z.literal("account"),
    /** Of the chain's addresses, such as `dcx`. */
    addressPrefix: z.string(),
  }),
  z.object({
    dcxSigner: version,
    operation: z.literal("sign-transaction"),
    address: z.string(),
    chainId: z.string(),
    /** Cosmos SignDoc (SIGN_MODE_DIRECT), encoded: what is signed is its SHA-256. */
    signBytes: base64,
  }),
  z.object({
    dcxSigner: version,
    operation: z.literal("sign-statement"),
    address: z.string(),
    /** What is stated, for a person or a policy: a line a claim. */
    statement: z.string(),
    /** The canonical JSON of the ADR-36 document around it: what is signed is its SHA-256. */
    signBytes: base64,
  }),
]);
export type SignerRequest = z.infer<typeof SignerRequest>;

/** To "account". The address is computed from the key. */
export const SignerAccount = z.object({
  dcxSigner: version,
  /** Compressed secp256k1 key, 33 bytes. */
  publicKey: base64,
});

/** To "sign-transaction" and "sign-statement". */
export const SignerSignature = z.object({
  dcxSigner: version,
  /** r and s, 32 bytes each. Of s and its complement either may be given. */
  signature: base64,
});

/** To anything that is not signed, with the reason for a person. */
export const SignerRefusal = z.object({ dcxSigner: version, error: z.string().min(1) });
