import { passwordFromCommand } from "@dcx/protocol";
import { Reader } from "@dcx/provider";
import { CommandFailure } from "../output/failure";
import { askHidden } from "../output/hidden";

/** Milliseconds: a person may have to unlock something. */
const COMMAND_TIMEOUT = 60_000;

/** Of a file that is encrypted: of the environment, else of whoever sits at the terminal. `undefined`: nobody does. */
export async function keyFilePassword(path: string): Promise<string | undefined> {
  const found = await configured();
  return found !== undefined || !process.stdin.isTTY ? found : askHidden(`Password of ${path}: `);
}

/** For a file that is to be encrypted: asked for twice. */
export async function newPassword(path: string): Promise<string> {
  const found = await configured();
  if (found !== undefined) {
    return found;
  }
  if (!process.stdin.isTTY) {
    throw new CommandFailure(
      `${path} needs a password, and there is no terminal to ask on: set DCX_KEY_FILE_PASSWORD or ` +
        "DCX_KEY_FILE_PASSWORD_COMMAND in the environment, or say --no-password to write it in clear.",
      2,
    );
  }
  const password = await askHidden(`New password of ${path}: `);
  if ((await askHidden("The same again: ")) !== password) {
    throw new CommandFailure("The two are not the same: nothing was written.", 2);
  }
  return password;
}

async function configured(): Promise<string | undefined> {
  const reader = new Reader({}, process.env);
  const password = reader.text("keyFilePassword");
  const command = reader.command("keyFilePasswordCommand");
  if (password !== undefined || command === undefined) {
    return password;
  }
  return passwordFromCommand(command, { environment: process.env, timeout: COMMAND_TIMEOUT });
}
