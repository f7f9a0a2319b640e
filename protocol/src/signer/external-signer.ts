import type { AminoSignResponse, StdSignDoc } from "@cosmjs/amino";
import type { AccountData, DirectSignResponse } from "@cosmjs/proto-signing";
import type { SignDoc } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { z } from "zod";
import { SignerFailed } from "../client/errors";
import { type AccountSigner, addressOfKey } from "./account-signer";
import {
  SignerAccount,
  SignerRefusal,
  type SignerRequest,
  SignerSignature,
  signerProtocolVersion,
} from "./signer-protocol";

/** Brings one request to whoever holds the key, and its answer back. Throws SignerFailed. */
export interface SignerTransport {
  /** For messages, such as `the signing command ledger-sign`. */
  readonly name: string;
  ask(request: SignerRequest): Promise<unknown>;
}

/**
 * A signer whose key is elsewhere. What comes back is checked against the account's key, so that whatever is wrong
 * there is known before anything is sent.
 */
export class ExternalSigner implements AccountSigner {
  private constructor(
    private readonly transport: SignerTransport,
    private readonly account: AccountData,
  ) {}

  /** Asks for the account. */
  static async connect(transport: SignerTransport, addressPrefix: string): Promise<ExternalSigner> {
    const answer = await ask(transport, { ...protocol, operation: "account", addressPrefix }, SignerAccount);
    const pubkey = Uint8Array.from(Buffer.from(answer.publicKey, "base64"));
    if (pubkey.length !== 33 || (pubkey[0] !== 2 && pubkey[0] !== 3)) {
      throw new SignerFailed(
        `${capital(transport.name)} answers with a public key that is no compressed secp256k1 key (33 bytes).`,
      );
    }
    const address = addressOfKey(pubkey, addressPrefix);
    return new ExternalSigner(transport, { algo: "secp256k1", address, pubkey });
  }

  get address(): string {
    return this.account.address;
  }

  get publicKey(): Uint8Array {
    return Uint8Array.from(this.account.pubkey);
  }

  async getAccounts(): Promise<readonly AccountData[]> {
    return [this.account];
  }

  async signDirect(signerAddress: string, signDoc: SignDoc): Promise<DirectSignResponse> {
    const { makeSignBytes } = await import("@cosmjs/proto-signing");
    const signBytes = makeSignBytes(signDoc);
    const { chainId } = signDoc;
    const request = { ...protocol, operation: "sign-transaction", address: signerAddress, chainId } as const;
    return { signed: signDoc, signature: await this.sign(request, signerAddress, signBytes) };
  }

  /** Statements by ADR-36 only: transactions are signed by `signDirect`. */
  async signAmino(signerAddress: string, signDoc: StdSignDoc): Promise<AminoSignResponse> {
    const { serializeSignDoc } = await import("@cosmjs/amino");
    const { data } = StatementDocument.parse(signDoc).msgs[0].value;
    const statement = Buffer.from(data, "base64").toString("utf8");
    const request = { ...protocol, operation: "sign-statement", address: signerAddress, statement } as const;
    return { signed: signDoc, signature: await this.sign(request, signerAddress, serializeSignDoc(signDoc)) };
  }

  private async sign(request: Unsigned, signerAddress: string, signBytes: Uint8Array) {
    const { transport, account } = this;
    if (signerAddress !== account.address) {
      throw new SignerFailed(`${capital(transport.name)} signs for ${account.address}, not for ${signerAddress}.`);
    }
    const [{ Secp256k1, Secp256k1Signature, sha256 }, { encodeSecp256k1Signature }] = await Promise.all([
      import("@cosmjs/crypto"),
      import("@cosmjs/amino"),
    ]);
    const whole = { ...request, signBytes: Buffer.from(signBytes).toString("base64") };
    const answer = await ask(transport, whole, SignerSignature);
    const signature = lowS(Uint8Array.from(Buffer.from(answer.signature, "base64")));
    if (
      signature === undefined ||
      !Secp256k1.verifySignature(Secp256k1Signature.fromFixedLength(signature), sha256(signBytes), account.pubkey)
    ) {
      throw new SignerFailed(
        `${capital(transport.name)} answers with what is no signature by the key of ${account.address} over what was ` +
          "to be signed. It signs the SHA-256 of `signBytes` and answers r and s, 32 bytes each.",
      );
    }
    return encodeSecp256k1Signature(account.pubkey, signature);
  }
}

const protocol = { dcxSigner: signerProtocolVersion } as const;

type Unsigned =
  | Omit<Extract<SignerRequest, { operation: "sign-transaction" }>, "signBytes">
  | Omit<Extract<SignerRequest, { operation: "sign-statement" }>, "signBytes">;

const StatementDocument = z.object({
  chain_id: z.literal(""),
  msgs: z.tuple([z.object({ type: z.literal("sign/MsgSignData"), value: z.object({ data: z.base64() }) })]),
});

/** Order of the curve. */
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Chains take the lower of s and its complement; key services give either. `undefined`: it is no signature. */
function lowS(signature: Uint8Array): Uint8Array | undefined {
  if (signature.length !== 64) return undefined;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
  if (s <= order / 2n) return signature;
  const lower = (order - s).toString(16).padStart(64, "0");
  return Uint8Array.from(Buffer.concat([signature.subarray(0, 32), Buffer.from(lower, "hex")]));
}

async function ask<T>(transport: SignerTransport, request: SignerRequest, schema: z.ZodType<T>): Promise<T> {
  const answer = await transport.ask(request);
  const refusal = SignerRefusal.safeParse(answer);
  if (refusal.success) throw new SignerFailed(`${capital(transport.name)} refused: ${refusal.data.error}`);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new SignerFailed(
    `${capital(transport.name)} does not answer "${request.operation}" as version ${signerProtocolVersion} of the ` +
      `protocol says (docs/external-signer.md): ${z.prettifyError(parsed.error)}`,
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
