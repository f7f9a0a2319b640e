import { connectivityState, credentials, Metadata } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

export type Severity = "debug" | "info" | "warning" | "error";

const severities: Readonly<Record<Severity, LogSeverity>> = {
  debug: LogSeverity.DEBUG,
  info: LogSeverity.INFO,
  warning: LogSeverity.WARNING,
  error: LogSeverity.ERROR,
};

/**
 * Messages for the person at the engine's other end. Guarantees: messages about one resource arrive in order; a
 * message that was already shown about it is not shown again; status lines replace one another and are dropped when
 * nothing changed; a failing engine fails no request.
 */
export class EngineLog {
  #client: EngineClient | undefined;
  #last: Promise<void> = Promise.resolve();
  readonly #shown = new Set<string>();
  readonly #status = new Map<string, string>();

  /** Forgets what was shown: another engine, or another session of the same one, has not seen it. */
  connect(address: string): void {
    this.#client?.close();
    this.#client = address === "" ? undefined : new EngineClient(address, credentials.createInsecure());
    this.#shown.clear();
    this.#status.clear();
  }

  log(severity: Severity, message: string, urn: string): void {
    const key = `${urn}\n${severity}\n${message}`;
    if (message !== "" && !this.#shown.has(key)) {
      this.#shown.add(key);
      this.#send(severity, message, urn, { ephemeral: false });
    }
  }

  status(message: string, urn: string): void {
    if (message !== "" && this.#status.get(urn) !== message) {
      this.#status.set(urn, message);
      this.#send("info", message, urn, { ephemeral: true });
    }
  }

  /** Resolves once everything that was said until now has arrived. Never rejects. */
  flush(): Promise<void> {
    return this.#last;
  }

  /** Whether the engine's address has stopped to answer. */
  isEngineUnreachable(): boolean {
    return this.#client?.getChannel().getConnectivityState(true) === connectivityState.TRANSIENT_FAILURE;
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #send(severity: Severity, message: string, urn: string, { ephemeral }: { readonly ephemeral: boolean }): void {
    const client = this.#client;
    if (client === undefined) {
      process.stderr.write(`${severity}: ${message}\n`);
      return;
    }
    const request = new LogRequest();
    request.setSeverity(severities[severity]);
    // Half a surrogate pair (of a log line cut in the middle, say) would make the whole message unreadable.
    request.setMessage(message.replace(/\p{Surrogate}/gu, "\ufffd"));
    request.setUrn(urn);
    request.setEphemeral(ephemeral);
    const before = this.#last;
    this.#last = (async () => {
      await before;
      await new Promise<void>((resolve) => {
        client.log(request, new Metadata(), { deadline: Date.now() + 5000 }, () => resolve());
      }).catch(() => {
        // Its channel was closed while the message waited for its turn: another session has begun.
      });
    })();
  }
}
