import { spawn } from "node:child_process";
import { SignerFailed } from "../client/errors";
import type { SignerTransport } from "./external-signer";
import type { SignerRequest } from "./signer-protocol";

export interface CommandOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** Milliseconds for one answer. */
  readonly timeout: number;
}

/** Secrets that dcx may find in the environment. No command that it runs has any business with them. */
const secretVariables = [
  "DCX_MNEMONIC",
  "DCX_PRIVATE_KEY",
  "DCX_KEY_FILE_PASSWORD",
  "DCX_NAMESPACE_KEY",
  "DCX_SIGNER_TOKEN",
  "DCX_SIGNER_CERTIFICATE_KEY",
  "PULUMI_CONFIG_PASSPHRASE",
];

/** The environment without what dcx itself takes secrets from. */
function signerEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secretVariables.includes(name)));
}

/** Runs the command for each request: the request on its standard input, the answer on its standard output. */
export function commandTransport(command: readonly string[], options: CommandOptions): SignerTransport {
  const name = `the signing command ${command[0] ?? ""}`;
  return {
    name,
    async ask(request: SignerRequest) {
      const output = await runCommand(command, `${JSON.stringify(request)}\n`, name, options);
      try {
        const answer: unknown = JSON.parse(output);
        return answer;
      } catch {
        throw new SignerFailed(`The output of ${name} is not one JSON object (docs/external-signer.md).`);
      }
    },
  };
}

/** What a command prints that finds a password: its first line. */
export async function passwordFromCommand(command: readonly string[], options: CommandOptions): Promise<string> {
  const name = `the password command ${command[0] ?? ""}`;
  const [line = ""] = (await runCommand(command, "", name, options)).split(/\r?\n/);
  if (line === "") throw new SignerFailed(`There is no password on the first line of what ${name} prints.`);
  return line;
}

/** Far more than any answer, and little enough for any memory. */
const mostOutput = 1 << 20;

/**
 * Standard output of a command that ended well. No shell: arguments are what they are. On failure its standard error
 * is shown, and neither its input nor its output.
 */
function runCommand(
  [program = "", ...args]: readonly string[],
  input: string,
  name: string,
  { environment, timeout }: CommandOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: signerEnvironment(environment), stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      // What it started may hold the other ends open: nobody waits for that.
      child.stdout.destroy();
      child.stderr.destroy();
      const said = errors.trim();
      reject(
        new SignerFailed(`${name.charAt(0).toUpperCase()}${name.slice(1)} ${why}${said === "" ? "." : `:\n${said}`}`),
      );
    };
    const timer = setTimeout(() => fail(`gave no answer within ${timeout / 1000} s`), timeout);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.length > mostOutput) fail("prints more than a megabyte");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = `${errors}${text}`.slice(-2000);
    });
    child.once("error", (error) => fail(`can't be run (${error.message}): is it installed and on the PATH?`));
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else fail(`ended with ${code ?? signal}`);
    });
    // One that reads nothing closes its end early: its exit says what became of it.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
