import type { ActualDeployment } from "../../network/snapshot";

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
  constructor(id: string, entry: string, before: ActualDeployment, now: ActualDeployment) {
    const change = now.lastChange;
    const who =
      change === undefined ? "" : `\n  by ${change.by} in transaction ${change.transaction} at block ${change.height}`;
    super(
      `somebody else changed ${entry} of deployment ${id}: revision ${before.revision} → ${now.revision}${who}\n` +
        "  Run `pulumi refresh` to see it, then `pulumi up`.",
    );
  }
}
