import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CommandFailure } from "./failure";

/** Asks on the terminal for what nobody is to see. Throws CommandFailure where there is no terminal, and at ^C. */
export async function askHidden(question: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new CommandFailure(`There is no terminal to ask on: ${question.trim()}`, 2);
  }
  const nowhere = new Writable({ write: (_part, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(question);
  try {
    return await new Promise((resolve, reject) => {
      terminal.once("close", () => reject(new CommandFailure("Nothing was entered.", 2)));
      terminal.question("", resolve);
    });
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}
