import type { AminoTypes } from "@cosmjs/stargate";
import { aminoConverters } from "./converters";

/**
 * What cosmjs's `SigningStargateClient` needs, beside `createRegistry()`, for signers that sign amino alone: Ledger,
 * Keplr with a Ledger, `Secp256k1HdWallet`. It loads cosmjs.
 */
export async function createAminoTypes(): Promise<AminoTypes> {
  const [{ AminoTypes: Types }, codecs] = await Promise.all([
    import("@cosmjs/stargate"),
    import("cosmjs-types/cosmos/feegrant/v1beta1/feegrant"),
  ]);
  return new Types({ ...aminoConverters(codecs) });
}
