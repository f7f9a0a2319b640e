/**
 * Codes of the Cosmos SDK's own codespace, which every Cosmos client knows how to read. Ours for the exchange's
 * rules are in @dcx/protocol (ExchangeErrorCode).
 */
export enum EnvelopeErrorCode {
  /** Not a code of its own: a defect in a handler, reported as the SDK does. */
  Internal = 1,
  Undecodable = 2,
  InvalidSequence = 3,
  Unauthorized = 4,
  InsufficientFunds = 5,
  UnknownRequest = 6,
  InvalidAddress = 7,
  InvalidPublicKey = 8,
  UnknownAddress = 9,
  InvalidCoins = 10,
  OutOfGas = 11,
  MemoTooLarge = 12,
  InsufficientFee = 13,
  TooManySignatures = 14,
  NoSignatures = 15,
  InvalidRequest = 18,
  MempoolDuplicate = 19,
  MempoolFull = 20,
  TooLarge = 21,
  KeyNotFound = 22,
  TimeoutHeight = 30,
  UnknownExtension = 31,
  WrongSequence = 32,
  NotSupported = 37,
  InvalidGasLimit = 41,
}

/** The codespace of `EnvelopeErrorCode`. */
export const envelopeCodespace = "sdk";

/** A transaction refused for its envelope: encoding, signatures, sequence, fee, gas. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
  readonly codespace = envelopeCodespace;

  constructor(
    readonly code: EnvelopeErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
