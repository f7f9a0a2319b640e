import type { PageRequest, PageResponse } from "@dcx/protocol";
import type { PageRequest as CosmosPage } from "cosmjs-types/cosmos/base/query/v1beta1/pagination";
import type { Coin } from "cosmjs-types/cosmos/base/v1beta1/coin";
import type { Duration } from "cosmjs-types/google/protobuf/duration";
import { scale } from "../state/quantities";
import { getChain, getParameters } from "../state/records";
import type { KeyValueReader } from "../state/store";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";

/** Answers a query from committed state. @throws EnvelopeError or ExchangeError */
export type QueryHandler = (state: KeyValueReader, request: Uint8Array, height: bigint) => Uint8Array;

/** What clients of the Cosmos SDK know something by that is not there. */
export function notFound(what: string): EnvelopeError {
  return new EnvelopeError(EnvelopeErrorCode.KeyNotFound, `rpc error: code = NotFound desc = ${what}: key not found`);
}

/** A page as the exchange's own queries are asked for it: none of them counts. */
export function pageOf(asked: CosmosPage | undefined): PageRequest | undefined {
  if (asked === undefined) return undefined;
  const limit = asked.limit < 1_000n ? asked.limit : 1_000n;
  return { key: asked.key, limit: Number(limit), offset: asked.offset };
}

export function pagination(page: PageResponse | undefined): { nextKey: Uint8Array; total: bigint } {
  return { nextKey: page?.nextKey ?? new Uint8Array(), total: 0n };
}

export function coinOf(state: KeyValueReader, amount: bigint): Coin {
  return { denom: getChain(state).denomination, amount: amount.toString() };
}

/** None where it is nothing; an amount with 18 places, as the distribution module has it. */
export function fineCoins(state: KeyValueReader, amount: bigint): Coin[] {
  return amount === 0n ? [] : [{ denom: getChain(state).denomination, amount: (amount * scale).toString() }];
}

/** How long blocks take, about: the exchange counts in blocks, and knows no time. */
export function durationOf(state: KeyValueReader, blocks: bigint): Duration {
  const milliseconds = blocks * getParameters(state).blockInterval;
  return { seconds: milliseconds / 1_000n, nanos: Number(milliseconds % 1_000n) * 1_000_000 };
}
