import { DiffResponse, PropertyDiff } from "@pulumi/pulumi/proto/provider_pb";
import type { DiffKind, DiffResult } from "../resources/resource";
import { rootOf } from "../wire/path";

const kinds: Readonly<Record<DiffKind, PropertyDiff.Kind>> = {
  add: PropertyDiff.Kind.ADD,
  "add-replace": PropertyDiff.Kind.ADD_REPLACE,
  delete: PropertyDiff.Kind.DELETE,
  "delete-replace": PropertyDiff.Kind.DELETE_REPLACE,
  update: PropertyDiff.Kind.UPDATE,
  "update-replace": PropertyDiff.Kind.UPDATE_REPLACE,
};

/** A difference by property path, as the engine wants it: the same again by top-level property, for older engines. */
export function diffResponse({ detailed, deleteBeforeReplace, stables }: DiffResult): DiffResponse {
  const response = new DiffResponse();
  const changed = new Set<string>();
  const replacing = new Set<string>();
  for (const [path, { kind, inputDiff }] of Object.entries(detailed)) {
    const difference = new PropertyDiff();
    difference.setKind(kinds[kind]);
    difference.setInputdiff(inputDiff);
    response.getDetaileddiffMap().set(path, difference);
    changed.add(rootOf(path));
    if (kind.endsWith("-replace")) {
      replacing.add(rootOf(path));
    }
  }
  response.setHasdetaileddiff(true);
  response.setChanges(changed.size > 0 ? DiffResponse.DiffChanges.DIFF_SOME : DiffResponse.DiffChanges.DIFF_NONE);
  response.setDiffsList([...changed]);
  response.setReplacesList([...replacing]);
  response.setDeletebeforereplace(deleteBeforeReplace && replacing.size > 0);
  response.setStablesList([...stables]);
  return response;
}
