import { type EntryKind, IdentifierError, parseResourceId, resourceIdText } from "@dcx/protocol";
import { deploymentId } from "../identity";

/** `<deployment>/workloads/<name>` or `<deployment>/connections/<name>`. */
export function entryResourceId(deployment: string, kind: EntryKind, name: string): string {
  const id = deploymentId(deployment);
  return resourceIdText({ ...id, ...(kind === "workloads" ? { workload: name } : { connection: name }) });
}

/** @throws {IdentifierError} where it names something else */
export function parseEntryId(text: string, kind: EntryKind): { readonly deployment: string; readonly name: string } {
  const { chain, tenant, sequence, workload, connection } = parseResourceId(text);
  const name = kind === "workloads" ? workload : connection;
  if (name === undefined) {
    throw new IdentifierError(`${kind.slice(0, -1)} id`, text, `it should end in /${kind}/<name>`);
  }
  return { deployment: resourceIdText({ chain, tenant, sequence }), name };
}
