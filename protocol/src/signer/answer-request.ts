import type { StdSignDoc } from "@cosmjs/amino";
import { SignerFailed } from "../client/errors";
import type { KeySigner } from "./account-signer";
import { SignerRequest, signerProtocolVersion } from "./signer-protocol";

/**
 * The other end of the protocol, with a key at hand: answers one request. `keyOf` makes the signer for an address
 * prefix. What it refuses is an answer too; it never throws.
 */
export async function answerSignerRequest(
  request: unknown,
  keyOf: (addressPrefix: string) => Promise<KeySigner>,
): Promise<object> {
  const dcxSigner = signerProtocolVersion;
  try {
    const asked = SignerRequest.safeParse(request);
    if (!asked.success) {
      throw new SignerFailed(`this is no request of version ${dcxSigner} of the protocol (docs/external-signer.md)`);
    }
    return { dcxSigner, ...(await answer(asked.data, keyOf)) };
  } catch (error) {
    return { dcxSigner, error: error instanceof Error ? error.message : String(error) };
  }
}

async function answer(
  request: SignerRequest,
  keyOf: (addressPrefix: string) => Promise<KeySigner>,
): Promise<{ readonly publicKey: string } | { readonly signature: string }> {
  if (request.operation === "account") {
    const { publicKey } = await keyOf(request.addressPrefix);
    return { publicKey: Buffer.from(publicKey).toString("base64") };
  }
  const { address } = request;
  const signer = await keyOf(address.slice(0, address.lastIndexOf("1")));
  if (signer.address !== address) throw new SignerFailed(`this key is that of ${signer.address}, not of ${address}`);
  const signBytes = Buffer.from(request.signBytes, "base64");
  if (request.operation === "sign-statement") return signStatementBytes(signer, request.statement, signBytes);
  const { SignDoc } = await import("cosmjs-types/cosmos/tx/v1beta1/tx");
  const document = SignDoc.decode(signBytes);
  if (document.chainId !== request.chainId) {
    throw new SignerFailed(`the transaction is for chain ${document.chainId}, and the request says ${request.chainId}`);
  }
  const { signature } = await signer.signDirect(address, document);
  return { signature: signature.signature };
}

/** Only what is what it says: a statement that hid a transaction would be signed unseen. */
async function signStatementBytes(signer: KeySigner, statement: string, signBytes: Buffer) {
  const { serializeSignDoc } = await import("@cosmjs/amino");
  const document: StdSignDoc = {
    chain_id: "",
    account_number: "0",
    sequence: "0",
    fee: { gas: "0", amount: [] },
    msgs: [
      {
        type: "sign/MsgSignData",
        value: { signer: signer.address, data: Buffer.from(statement).toString("base64") },
      },
    ],
    memo: "",
  };
  if (Buffer.compare(serializeSignDoc(document), signBytes) !== 0) {
    throw new SignerFailed("what is to be signed is not the ADR-36 document of the statement");
  }
  const { signature } = await signer.signAmino(signer.address, document);
  return { signature: signature.signature };
}
