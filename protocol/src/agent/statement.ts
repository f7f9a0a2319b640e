import type { OfflineAminoSigner, StdSignDoc } from "@cosmjs/amino";
import { z } from "zod";

/** Name of the request header that carries it: base64url of its JSON. */
export const statementHeader = "dcx-statement";

/**
 * "manage": everything a tenant may ask. "observe": status, events and logs only, no manifest. "exec": to run commands in
 * instances, nothing else. "quote": what a datacenter would
 * ask of this account; it speaks about no deployment.
 */
export const StatementPurpose = z.enum(["manage", "observe", "exec", "quote"]);
export type StatementPurpose = z.infer<typeof StatementPurpose>;

/** The sequence in a statement that speaks about no deployment. */
export const NO_DEPLOYMENT = 0n;

const Claims = z.strictObject({
  chainId: z.string().min(1).max(64),
  /** The account whose key signs. */
  account: z.string().max(128),
  /** The deployment it speaks about. */
  tenant: z.string().max(128),
  /** In decimal; "0" with the purpose "quote", which speaks about none. */
  sequence: z.string().regex(/^(0|[1-9][0-9]{0,19})$/),
  /** SHA-256 of the client certificate's SubjectPublicKeyInfo (DER), in hexadecimal. */
  clientKey: z.string().regex(/^[0-9a-f]{64}$/),
  /** Address of the datacenter that is spoken to. */
  datacenter: z.string().max(128),
  purpose: StatementPurpose,
  /** Unix time in seconds after which it does not count. */
  expires: z.number().int().nonnegative(),
});

/** What a tenant or manager states to a datacenter's agent (design: "Handing it over"). */
export const StatementClaims = Claims.refine(
  ({ purpose, sequence }) => (purpose === "quote") === (sequence === "0"),
  "a statement is about a deployment, or a quote for its account",
);
export type StatementClaims = Readonly<z.infer<typeof StatementClaims>>;

export const SignedStatement = z.strictObject({
  claims: StatementClaims,
  /** Compressed secp256k1 key in base64. */
  publicKey: z.string().max(64),
  /** 64 bytes in base64, over the ADR-36 sign document of `statementText(claims)`. */
  signature: z.string().max(128),
});
export type SignedStatement = Readonly<z.infer<typeof SignedStatement>>;

export type StatementRefusal =
  | "malformed"
  | "signature"
  | "account"
  | "chain"
  | "deployment"
  | "client-key"
  | "datacenter"
  | "purpose"
  | "expired"
  | "too-long";

export interface StatementExpectation {
  readonly chainId: string;
  readonly datacenter: string;
  readonly tenant: string;
  readonly sequence: bigint;
  /** SHA-256 of the presented certificate's key, in hexadecimal. */
  readonly clientKey: string;
  readonly purpose: StatementPurpose;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Default: the prefix that the account itself has. */
  readonly addressPrefix?: string;
}

export type StatementVerdict =
  | { readonly valid: true; readonly account: string; readonly expires: number }
  | { readonly valid: false; readonly reason: StatementRefusal; readonly message: string };

/** A stolen statement is of use only with the stolen client key; still none lives longer than this, in seconds. */
export const longestStatement = 24 * 60 * 60;
const mostHeaderBytes = 4_096;

/** What the key signs: a person who is asked by a wallet reads it. One line a claim, in a fixed order. */
export function statementText(claims: StatementClaims): string {
  return [
    "dcx statement",
    `chain: ${claims.chainId}`,
    `account: ${claims.account}`,
    claims.purpose === "quote" ? "deployment: none" : `deployment: ${claims.tenant}/${claims.sequence}`,
    `client key: ${claims.clientKey}`,
    `datacenter: ${claims.datacenter}`,
    `purpose: ${claims.purpose}`,
    `expires: ${new Date(claims.expires * 1000).toISOString()}`,
  ].join("\n");
}

/** Signs with the account's key. Throws when the signer does not hold `claims.account`, or the claims are malformed. */
export async function signStatement(signer: OfflineAminoSigner, claims: StatementClaims): Promise<SignedStatement> {
  StatementClaims.parse(claims);
  const { signed, signature } = await signer.signAmino(claims.account, signDocument(claims));
  const expected = JSON.stringify(signDocument(claims).msgs);
  if (JSON.stringify(signed.msgs) !== expected) {
    throw new Error(`The signer of ${claims.account} changed the statement that it was asked to sign.`);
  }
  return { claims, publicKey: String(signature.pub_key.value), signature: signature.signature };
}

/** The value of the header. */
export function encodeStatement(statement: SignedStatement): string {
  return Buffer.from(JSON.stringify(statement)).toString("base64url");
}

/**
 * Whether a header's value is a statement of the account it names, about what is expected. It does not say that
 * the account may speak for the deployment: that is for the caller, from the chain. Never throws.
 */
export async function verifyStatement(header: string, expected: StatementExpectation): Promise<StatementVerdict> {
  const statement = decodeStatement(header);
  if (statement === undefined) return refuse("malformed", `the header ${statementHeader} is no statement`);
  const { claims } = statement;
  const mismatch = compareClaims(claims, expected);
  if (mismatch !== undefined) return mismatch;
  const [{ pubkeyToAddress, serializeSignDoc }, { Secp256k1, Secp256k1Signature, sha256 }] = await Promise.all([
    import("@cosmjs/amino"),
    import("@cosmjs/crypto"),
  ]);
  const prefix = expected.addressPrefix ?? claims.account.slice(0, Math.max(0, claims.account.lastIndexOf("1")));
  try {
    const key = Buffer.from(statement.publicKey, "base64");
    const publicKey = { type: "tendermint/PubKeySecp256k1", value: key.toString("base64") };
    if (key.length !== 33 || pubkeyToAddress(publicKey, prefix) !== claims.account) {
      return refuse("account", `the key of the statement is not that of account ${claims.account}`);
    }
    const signature = Secp256k1Signature.fromFixedLength(Buffer.from(statement.signature, "base64"));
    const digest = sha256(serializeSignDoc(signDocument(claims)));
    if (!Secp256k1.verifySignature(signature, digest, key)) {
      return refuse("signature", `the statement is not signed by account ${claims.account}`);
    }
  } catch {
    return refuse("signature", `the signature of the statement by ${claims.account} can't be read`);
  }
  return { valid: true, account: claims.account, expires: claims.expires };
}

function compareClaims(claims: StatementClaims, expected: StatementExpectation): StatementVerdict | undefined {
  if (claims.chainId !== expected.chainId) {
    return refuse("chain", `the statement is for chain ${claims.chainId}, not ${expected.chainId}`);
  }
  if (claims.datacenter !== expected.datacenter) {
    return refuse("datacenter", `the statement is for datacenter ${claims.datacenter}, not ${expected.datacenter}`);
  }
  if (claims.tenant !== expected.tenant || claims.sequence !== expected.sequence.toString()) {
    return refuse(
      "deployment",
      `the statement is for deployment ${claims.tenant}/${claims.sequence}, not ${expected.tenant}/${expected.sequence}`,
    );
  }
  if (claims.clientKey !== expected.clientKey) {
    return refuse("client-key", "the statement is for another client certificate than the one presented");
  }
  if (claims.purpose !== expected.purpose && claims.purpose !== "manage") {
    return refuse("purpose", `the statement allows "${claims.purpose}", and this needs "${expected.purpose}"`);
  }
  const now = expected.now / 1000;
  if (claims.expires < now) {
    return refuse("expired", `the statement expired at ${new Date(claims.expires * 1000).toISOString()}`);
  }
  if (claims.expires > now + longestStatement) {
    return refuse("too-long", `the statement is for more than ${longestStatement / 3600} hours from now`);
  }
  return undefined;
}

function decodeStatement(header: string): SignedStatement | undefined {
  if (header.length > mostHeaderBytes) return undefined;
  try {
    return SignedStatement.safeParse(JSON.parse(Buffer.from(header, "base64url").toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

/** ADR-36: a sign document that no chain takes for a transaction. */
function signDocument(claims: StatementClaims): StdSignDoc {
  const data = Buffer.from(statementText(claims)).toString("base64");
  return {
    chain_id: "",
    account_number: "0",
    sequence: "0",
    fee: { gas: "0", amount: [] },
    msgs: [{ type: "sign/MsgSignData", value: { signer: claims.account, data } }],
    memo: "",
  };
}

function refuse(reason: StatementRefusal, message: string): StatementVerdict {
  return { valid: false, reason, message };
}
