import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { BinaryWriter as CosmosWriter } from "cosmjs-types/binary";

/** The writer of our own types, under the names by which those of cosmjs-types call it too. */
class SharedWriter extends BinaryWriter {
  ldelim(): this {
    return this.join();
  }
}

/** What ts-proto or cosmjs-types have generated for a message. */
export interface Encoder<Message> {
  encode(message: Message, writer?: SharedWriter & CosmosWriter): { finish(): Uint8Array };
}

let spare: SharedWriter | undefined;

/**
 * A message as protobuf.
 *
 * PERF: into one buffer that is used again and again. A writer of its own for each message would be most of what the
 * node gives back to the garbage collector; that of cosmjs-types sets 8 KiB aside, however small the message is.
 */
export function encode<Message>(encoder: Encoder<Message>, message: Message): Uint8Array {
  const writer = spare ?? new SharedWriter();
  // An encoder that throws leaves something in it: then it is not used again.
  spare = undefined;
  encoder.encode(message, writer as SharedWriter & CosmosWriter);
  const bytes = writer.finish();
  spare = writer;
  return bytes;
}

/** Whether these bytes are what the message is encoded to: by that they are, nobody signs what this version ignores. */
export function isEncodingOf<Message>(bytes: Uint8Array, encoder: Encoder<Message>, message: Message): boolean {
  if (Buffer.compare(bytes, encode(encoder, message)) === 0) return true;
  // The writers differ in texts that are no Unicode: there the encoder's own has the last word.
  return Buffer.compare(bytes, encoder.encode(message).finish()) === 0;
}
