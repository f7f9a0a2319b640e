import type { ActualDeployment } from "../../network/snapshot";
import { whoChanged } from "../who-changed";

/** What an entry needed never came. */
export class MissingEntry extends Error {
  override readonly name = "MissingEntry";
  constructor(
    readonly entry: string,
    readonly waitsFor: string,
  ) {
    super(
      `${waitsFor}, so ${entry} was not declared. Declare it, and refer to it by its \`name\` output ` +
        "(such as `api.name`) rather than by plain text, so that Pulumi makes it first.",
    );
  }
}

/** Somebody else changed the same entry at the same time. */
export class ChangedByAnother extends Error {
  override readonly name = "ChangedByAnother";
  constructor(
    id: string,
    entry: string,
    change: {
      readonly before: ActualDeployment;
      readonly now: ActualDeployment;
      /** The account of this process. */
      readonly configured: string | undefined;
      /** Of the entry, for a person. */
      readonly what: string | undefined;
    },
  ) {
    const { before, now, configured, what } = change;
    // Of a description what was changed, not what comes of it.
    const [changed] = what?.split(/ {4}/) ?? [];
    const who = whoChanged(before, now, configured, changed === undefined ? [] : [changed]);
    super(
      `somebody else changed ${entry} of deployment ${id}: ${who}\n` +
        "  Run `pulumi refresh` to see it, then `pulumi up`.",
    );
  }
}
