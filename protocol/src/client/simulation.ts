import type { EncodeObject, Registry } from "@cosmjs/proto-signing";
import type { AbciAnswer, CallOptions, ExchangeQueryClient } from "./exchange-query-client";
import { rejection } from "./refusals";

/** What is to be simulated, and for whom. */
export interface Simulation {
  readonly messages: readonly EncodeObject[];
  readonly memo: string;
  readonly address: string;
  /** Compressed secp256k1. */
  readonly publicKey: Uint8Array;
  /** Who pays the fee in its place. */
  readonly feeGranter?: string | undefined;
}

const wrongSequence = 32;
/** Another program with the same key may use the sequence between two questions: so often it is asked again. */
const mostRaces = 10;

/**
 * Gas that the messages would use now, by the exchange's own reckoning; signs and sends nothing. Throws what the
 * exchange would refuse them with (TransactionRejected, InsufficientFunds), NetworkUnreachable, or the signal's reason.
 */
export async function simulatedGas(
  query: ExchangeQueryClient,
  registry: Registry,
  simulation: Simulation,
  options: CallOptions,
): Promise<bigint> {
  const { SimulateResponse } = await import("cosmjs-types/cosmos/tx/v1beta1/service");
  for (let races = 0; ; races++) {
    const { sequence } = await requireAccount(query, simulation.address, options);
    const answer = await ask(query, registry, simulation, sequence, options);
    if (answer.code === 0) return SimulateResponse.decode(answer.value).gasInfo?.gasUsed ?? 0n;
    const raced = answer.codespace === "sdk" && answer.code === wrongSequence;
    if (!raced || races >= mostRaces) {
      throw rejection({ abciCode: answer.code, codespace: answer.codespace, log: answer.log }, simulation.address);
    }
  }
}

/** The account as committed. Throws InsufficientFunds when the chain knows none: nobody ever sent it a token. */
export async function requireAccount(
  query: ExchangeQueryClient,
  address: string,
  options: CallOptions,
): Promise<{ readonly accountNumber: bigint; readonly sequence: bigint; readonly address: string }> {
  const account = await query.sequenceOf(address, options);
  if (account !== undefined) return account;
  const log = `chain ${query.chainId} knows no account ${address}`;
  throw rejection({ abciCode: 5, codespace: "sdk", log }, address);
}

async function ask(
  query: ExchangeQueryClient,
  registry: Registry,
  { messages, memo, publicKey, feeGranter }: Simulation,
  sequence: bigint,
  options: CallOptions,
): Promise<AbciAnswer> {
  const [{ AuthInfo, Fee, SignerInfo, TxRaw }, { SimulateRequest }, { SignMode }, { encodePubkey }] = await Promise.all(
    [
      import("cosmjs-types/cosmos/tx/v1beta1/tx"),
      import("cosmjs-types/cosmos/tx/v1beta1/service"),
      import("cosmjs-types/cosmos/tx/signing/v1beta1/signing"),
      import("@cosmjs/proto-signing"),
    ],
  );
  const key = { type: "tendermint/PubKeySecp256k1", value: Buffer.from(publicKey).toString("base64") };
  const authInfo = AuthInfo.fromPartial({
    fee: Fee.fromPartial({ granter: feeGranter ?? "" }),
    signerInfos: [
      SignerInfo.fromPartial({
        publicKey: encodePubkey(key),
        sequence,
        modeInfo: { single: { mode: SignMode.SIGN_MODE_UNSPECIFIED } },
      }),
    ],
  });
  const txBytes = TxRaw.encode({
    bodyBytes: registry.encodeTxBody({ messages, memo }),
    authInfoBytes: AuthInfo.encode(authInfo).finish(),
    signatures: [new Uint8Array()],
  }).finish();
  const request = SimulateRequest.encode(SimulateRequest.fromPartial({ txBytes })).finish();
  return query.abciQuery("/cosmos.tx.v1beta1.Service/Simulate", request, options);
}
