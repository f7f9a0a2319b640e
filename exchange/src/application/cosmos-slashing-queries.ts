import { fromBech32, toBech32 } from "@cosmjs/encoding";
import { ExchangeErrorCode, type Validator } from "@dcx/protocol";
import {
  QueryParamsResponse,
  QuerySigningInfoRequest,
  QuerySigningInfoResponse,
  QuerySigningInfosRequest,
  QuerySigningInfosResponse,
} from "cosmjs-types/cosmos/slashing/v1beta1/query";
import { Params, ValidatorSigningInfo } from "cosmjs-types/cosmos/slashing/v1beta1/slashing";
import { consensusAddressOf } from "../consensus-key";
import { ExchangeError } from "../state/errors";
import { scale } from "../state/quantities";
import { getChain, getParameters } from "../state/records";
import { queryValidators } from "../state/stake-queries";
import type { KeyValueReader } from "../state/store";
import { operatorByConsensusAddress, signingRecords, validators } from "../state/validators";
import { durationOf, notFound, pageOf, pagination, type QueryHandler } from "./cosmos-answers";

/** What the prefix of the address of a key that signs blocks has beside that of accounts. */
const consensusSuffix = "valcons";

/**
 * The slashing module's queries, which explorers ask. Ends of periods are heights here, so times are 0, and when a validator
 * began is not kept.
 */
export const slashingQueries: Readonly<Record<string, QueryHandler>> = {
  "/cosmos.slashing.v1beta1.Query/Params": (state) => {
    const { signingWindow, minSigned, absenceJail, doubleSignSlash, absenceSlash } = getParameters(state);
    const params = Params.fromPartial({
      signedBlocksWindow: signingWindow,
      minSignedPerWindow: decimal(minSigned, 1_000n),
      downtimeJailDuration: durationOf(state, absenceJail),
      slashFractionDoubleSign: decimal(doubleSignSlash, 1_000_000n),
      slashFractionDowntime: decimal(absenceSlash, 1_000_000n),
    });
    return QueryParamsResponse.encode({ params }).finish();
  },
  "/cosmos.slashing.v1beta1.Query/SigningInfo": (state, request, height) => {
    const { consAddress } = QuerySigningInfoRequest.decode(request);
    const operator = operatorByConsensusAddress(state, consensusBytes(state, consAddress));
    const validator = operator === undefined ? undefined : validators.get(state, operator);
    if (validator === undefined) throw notFound(`SigningInfo not found for validator ${consAddress}`);
    return QuerySigningInfoResponse.encode({ valSigningInfo: signingInfo(state, validator, height) }).finish();
  },
  "/cosmos.slashing.v1beta1.Query/SigningInfos": (state, request, height) => {
    const { pagination: asked } = QuerySigningInfosRequest.decode(request);
    const { validators: found, page } = queryValidators(state, height, { operator: "", page: pageOf(asked) });
    const info = found.flatMap(({ validator }) =>
      validator === undefined ? [] : [signingInfo(state, validator, height)],
    );
    return QuerySigningInfosResponse.encode({ info, pagination: pagination(page) }).finish();
  },
};

function signingInfo(state: KeyValueReader, validator: Validator, height: bigint): ValidatorSigningInfo {
  const { operator, consensusKey, tombstoned } = validator;
  const { signingWindow } = getParameters(state);
  const record = signingRecords.get(state, operator);
  // Of a window that is over nothing counts any more, and its record stays until the next absence.
  const counts = record !== undefined && signingWindow > 0n && record.window === height / signingWindow;
  return ValidatorSigningInfo.fromPartial({
    address: toBech32(getChain(state).addressPrefix + consensusSuffix, consensusAddressOf(consensusKey)),
    indexOffset: signingWindow === 0n ? 0n : height % signingWindow,
    jailedUntil: { seconds: 0n, nanos: 0 },
    tombstoned,
    missedBlocksCounter: counts ? record.missed : 0n,
  });
}

/** @throws ExchangeError InvalidAddress */
function consensusBytes(state: KeyValueReader, address: string): Uint8Array {
  const prefix = getChain(state).addressPrefix + consensusSuffix;
  try {
    const decoded = fromBech32(address, 200);
    if (decoded.prefix === prefix) return decoded.data;
  } catch {
    // As one with another prefix.
  }
  const shown = JSON.stringify(address.slice(0, 100));
  throw new ExchangeError(
    ExchangeErrorCode.InvalidAddress,
    `cons_address: ${shown} is not the address of a key that signs blocks: such a one begins with ${prefix}`,
  );
}

/** As the SDK writes a decimal in bytes: the text of a whole number of 10^-18. */
function decimal(parts: number, whole: bigint): Uint8Array {
  return Buffer.from(((BigInt(parts) * scale) / whole).toString());
}
