import { ExchangeErrorCode } from "@dcx/protocol";
import { type Encoder, encode, isEncodingOf } from "../encode";
import type { TransactionContext } from "./context";
import { ExchangeError } from "./errors";
import { MeteredStore } from "./gas";
import type { KeyValueStore } from "./store";

/** A message as a transaction carries it. */
export interface Message {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Where a message comes from: a signed transaction, or the facilitator's part of the block. */
export type Origin = "transaction" | "facilitator";

interface Codec<Value> extends Encoder<Value> {
  decode(input: Uint8Array): Value;
}

/** One kind of message, from bytes to bytes. */
export interface Handler {
  readonly origin: Origin;
  signer(value: Uint8Array): string;
  apply(state: KeyValueStore, context: TransactionContext, value: Uint8Array): Uint8Array;
}

interface Kind<Request, Response> {
  readonly origin: Origin;
  /** Charged besides what the state costs. */
  readonly gas: bigint;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  readonly signer: (message: Request) => string;
  readonly transition: (state: KeyValueStore, context: TransactionContext, message: Request) => Response;
}

export function handler<Request extends object, Response>(kind: Kind<Request, Response>): Handler {
  // By identity of the bytes: a message is read when it arrives, to see who signs it, and when it is executed.
  // It is frozen, so that no transition leaves another message behind than the one that was signed.
  const known = new WeakMap<Uint8Array, Request>();
  const read = (value: Uint8Array): Request => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const message = decode(kind.request, value);
    freeze(message);
    known.set(value, message);
    return message;
  };
  return {
    origin: kind.origin,
    signer: (value) => kind.signer(read(value)),
    apply(state, context, value) {
      context.gas.consume(kind.gas, "message");
      const message = read(value);
      return encode(kind.response, kind.transition(new MeteredStore(state, context.gas), context, message));
    },
  };
}

function freeze(value: object): void {
  if (ArrayBuffer.isView(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) freeze(part);
}

/**
 * Decodes a message that is encoded the one canonical way (ADR-27): by that, fields that this version doesn't know are
 * found as well, so that nobody signs what the chain ignores, and no later version reads the same bytes differently.
 */
export function decode<Value>(codec: Codec<Value>, bytes: Uint8Array): Value {
  let message: Value;
  try {
    message = codec.decode(bytes);
  } catch (cause) {
    throw new ExchangeError(ExchangeErrorCode.InvalidMessage, "the message is no well-formed protobuf of its type", {
      cause,
    });
  }
  if (!isEncodingOf(bytes, codec, message))
    throw new ExchangeError(
      ExchangeErrorCode.InvalidMessage,
      "the message has fields that this exchange does not know, or is not encoded canonically (ADR-27)",
    );
  return message;
}
