/** An error that a person caused or can mend: printed as its sentence, without a stack. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly exitCode = 1,
  ) {
    super(message);
    this.name = "CommandFailure";
  }
}
