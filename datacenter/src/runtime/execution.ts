import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "@dcx/protocol";

/** How a command is to run in an instance while somebody follows it. */
export interface ExecOptions {
  readonly command: readonly string[];
  /** Present: the command gets a terminal of this size and type. */
  readonly terminal?: TerminalSize & { readonly type: string };
}

/** A command that runs in an instance. */
export interface Execution {
  readonly stdin: Writable;
  /** With a terminal also what goes to stderr. */
  readonly stdout: Readable;
  /** Absent with a terminal. */
  readonly stderr?: Readable;
  /** Of no effect without a terminal. */
  resize(size: TerminalSize): void;
  /** Its exit code, 128 and the signal's number where one ended it. Settles once all output has been handed on. */
  readonly exited: Promise<number>;
  /** Ends it, whatever it does. */
  kill(): void;
}
