import { CommitmentProof } from "cosmjs-types/cosmos/ics23/v1/proofs";
import { SimulateRequest, SimulateResponse } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { type RequestQuery, ResponseQuery } from "cosmjs-types/tendermint/abci/types";
import { ExchangeError } from "../state/errors";
import { proofType, type StateDatabase } from "../storage";
import { keyString } from "../storage/keys";
import { StorageError } from "../storage/storage-error";
import type { QueryHandler } from "./cosmos-queries";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";
import { refusalOf, type Surroundings, simulate } from "./execute";
import { refuseFacilitatorTypes } from "./facilitator-part";
import { decodeTransaction } from "./transaction";

/** Answers what is asked of the last committed state (ABCI: Query). */
export class QueryAnswers {
  /**
   * @param queries by their gRPC path
   * @param surroundings of a transaction in the next block
   */
  constructor(
    private readonly database: StateDatabase,
    private readonly queries: Readonly<Record<string, QueryHandler>>,
    private readonly surroundings: () => Surroundings,
  ) {}

  query(request: RequestQuery): ResponseQuery {
    const last = this.database.last;
    if (last === undefined) {
      return refusedQuery(EnvelopeErrorCode.InvalidRequest, "sdk", "the chain has not begun", 0n);
    }
    try {
      if (request.height !== 0n && request.height !== last.height) {
        throw new EnvelopeError(
          EnvelopeErrorCode.InvalidRequest,
          `height ${request.height}: only the state of the last block (${last.height}) is kept`,
        );
      }
      return this.answer(request, last.height);
    } catch (error) {
      if (!(error instanceof EnvelopeError) && !(error instanceof ExchangeError)) throw error;
      return refusedQuery(error.code, error.codespace, error.message, last.height);
    }
  }

  private answer(request: RequestQuery, height: bigint): ResponseQuery {
    if (request.path === "/store/dcx/key") return this.answerKey(request, height);
    if (request.path === "/cosmos.tx.v1beta1.Service/Simulate" || request.path === "/app/simulate") {
      return ResponseQuery.fromPartial({ value: this.simulate(request.data), height });
    }
    const handler = Object.hasOwn(this.queries, request.path) ? this.queries[request.path] : undefined;
    if (handler === undefined) {
      throw new EnvelopeError(EnvelopeErrorCode.UnknownRequest, `unknown query path ${JSON.stringify(request.path)}`);
    }
    let value: Uint8Array;
    try {
      value = handler(this.database, request.data, height);
    } catch (error) {
      if (error instanceof EnvelopeError || error instanceof ExchangeError || error instanceof StorageError)
        throw error;
      // A request that can't be decoded throws whatever the decoder throws.
      throw new EnvelopeError(EnvelopeErrorCode.InvalidRequest, `${request.path}: ${describe(error)}`, {
        cause: error,
      });
    }
    return ResponseQuery.fromPartial({ value, height });
  }

  /** One entry of the state, as it is, with a proof against the app hash in the header of the next block. */
  private answerKey(request: RequestQuery, height: bigint): ResponseQuery {
    const key = keyString(request.data);
    const value = this.database.get(key) ?? new Uint8Array();
    const answer = { key: request.data, value, height };
    if (!request.prove) return ResponseQuery.fromPartial(answer);
    const data = CommitmentProof.encode(this.database.prove(key)).finish();
    return ResponseQuery.fromPartial({
      ...answer,
      proofOps: { ops: [{ type: proofType, key: request.data, data }] },
    });
  }

  private simulate(data: Uint8Array): Uint8Array {
    const transaction = decodeTransaction(simulatedBytes(data));
    refuseFacilitatorTypes(transaction);
    const around = this.surroundings();
    let outcome: ReturnType<typeof simulate>;
    try {
      outcome = simulate(this.database, transaction, around);
    } catch (error) {
      if (error instanceof EnvelopeError || error instanceof ExchangeError) throw error;
      // In a block the machine's limits end the node, which must not go on with another result than others; here
      // nothing depends on the result.
      if (error instanceof RangeError) throw new EnvelopeError(EnvelopeErrorCode.Internal, describe(error));
      const { code, log } = refusalOf(error, transaction, around);
      throw new EnvelopeError(code, log);
    }
    return SimulateResponse.encode(
      SimulateResponse.fromPartial({
        gasInfo: { gasWanted: transaction.fee?.gasLimit ?? 0n, gasUsed: outcome.gasUsed },
        result: { data: outcome.data, events: outcome.events, msgResponses: [] },
      }),
    ).finish();
  }
}

/** @throws EnvelopeError when the request can't be decoded */
function simulatedBytes(data: Uint8Array): Uint8Array {
  try {
    return SimulateRequest.decode(data).txBytes;
  } catch (error) {
    throw new EnvelopeError(EnvelopeErrorCode.Undecodable, `no request for a simulation: ${describe(error)}`, {
      cause: error,
    });
  }
}

function refusedQuery(code: number, codespace: string, log: string, height: bigint): ResponseQuery {
  return ResponseQuery.fromPartial({ code, codespace, log, height });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
