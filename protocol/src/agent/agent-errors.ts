/** Every error of `AgentClient` but the signal's reason. */
export abstract class AgentError extends Error {
  abstract readonly code: string;

  constructor(
    message: string,
    /** Address of the datacenter that was asked. */
    readonly datacenter: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The agent did not answer: no connection, a timeout, a connection that broke. Says nothing about what it holds. */
export class AgentUnreachable extends AgentError {
  readonly code = "agent-unreachable";

  constructor(
    datacenter: string,
    readonly urls: readonly string[],
    reasons: readonly string[],
    options?: ErrorOptions,
  ) {
    const tried = urls.map((url, index) => `${url} (${reasons[index] ?? "not tried"})`).join(", ");
    super(
      `Datacenter ${datacenter} does not answer: ${tried || "it names no address of an agent"}. ` +
        "It may be down or cut off; try again, or close its lease to let another one take over.",
      datacenter,
      options,
    );
  }
}

/** Who answers is not the datacenter: its certificate is not under that one's on-chain root. Nothing was sent to it. */
export class AgentNotTrusted extends AgentError {
  readonly code = "agent-not-trusted";

  constructor(
    datacenter: string,
    readonly url: string,
    reason: string,
  ) {
    super(
      `What answers at ${url} is not datacenter ${datacenter}: ${reason}. Nothing was sent to it. ` +
        "If its operator has just changed its root certificate, try again.",
      datacenter,
    );
  }
}

/** The agent answered, with a refusal. */
export class AgentRefused extends AgentError {
  readonly code = "agent-refused";

  constructor(
    datacenter: string,
    /** HTTP status. */
    readonly status: number,
    /** The `code` of the ApiError. */
    readonly refusal: string,
    /** The `message` of the ApiError. */
    readonly reason: string,
    request: string,
  ) {
    super(`Datacenter ${datacenter} refused ${request}: ${reason} (${refusal}, HTTP ${status}).`, datacenter);
  }
}

/** The agent answered what this version does not understand: too much, or of another shape. */
export class AgentAnswerInvalid extends AgentError {
  readonly code = "agent-answer-invalid";

  constructor(datacenter: string, request: string, reason: string) {
    super(
      `Datacenter ${datacenter} answered ${request} with what can't be understood: ${reason}. ` +
        "Its agent may be of another version of dcx.",
      datacenter,
    );
  }
}
