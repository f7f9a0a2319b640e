import { ExchangeErrorCode, exchangeCodespace } from "@dcx/protocol";

/**
 * A message refused by the exchange's rules. Deterministic: the same message on the same state gives the same code
 * on every machine. Whoever catches it discards the branch that the message wrote to. Any other exception from the
 * state machine is a defect or a broken disk and must stop the node.
 */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly codespace = exchangeCodespace;

  constructor(
    readonly code: ExchangeErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A field is malformed or out of range: `<field>: <what is wrong with it>`. */
export function invalid(field: string, problem: string): ExchangeError {
  return new ExchangeError(ExchangeErrorCode.InvalidMessage, `${field}: ${problem}`);
}
