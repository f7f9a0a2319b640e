import canonicalize from "canonicalize";
import { type CheckOptions, manifestIssues } from "./check";
import { joinPath, ManifestError, type ManifestIssue } from "./error";
import type { Manifest, ManifestConnection, ManifestWorkload } from "./types";

/** Entries to set, by name; `null`: to delete. What is not named stays as it is. */
export interface ManifestChanges {
  readonly workloads?: Readonly<Record<string, ManifestWorkload | null>>;
  readonly connections?: Readonly<Record<string, ManifestConnection | null>>;
}

/**
 * Makes the next manifest of the complete current one. Pure: the given one stays as it is. The result is checked as a
 * whole, against the infrastructures as the update leaves them.
 * @throws {ManifestError} also where a workload goes that a remaining connection names
 */
export function patchManifest(manifest: Manifest, changes: ManifestChanges, options: CheckOptions = {}): Manifest {
  const next: Manifest = {
    ...manifest,
    workloads: patched(manifest.workloads, changes.workloads),
    connections: patched(manifest.connections, changes.connections),
  };
  const orphans = orphanedConnections(manifest, next);
  const explained = new Set(orphans.map(({ connection }) => joinPath("connections", connection)));
  const issues = [
    ...orphans.map(({ issue }) => issue),
    // What is said about the workload that goes is not said again about each of its connections.
    ...manifestIssues(next, options).filter(
      ({ path }) => ![...explained].some((known) => path.startsWith(`${known}.`)),
    ),
  ];
  if (issues.length > 0) {
    throw new ManifestError(issues);
  }
  return next;
}

/** The changes that lead from one manifest to another. */
export function manifestChanges(from: Manifest, to: Manifest): Required<ManifestChanges> {
  return {
    workloads: changesOf(from.workloads, to.workloads),
    connections: changesOf(from.connections, to.connections),
  };
}

function changesOf<T extends object>(
  from: Readonly<Record<string, T>>,
  to: Readonly<Record<string, T>>,
): Record<string, T | null> {
  const gone = Object.keys(from).filter((name) => !Object.hasOwn(to, name));
  const set = Object.entries(to).filter(([name, entry]) => {
    const old = Object.hasOwn(from, name) ? from[name] : undefined;
    return old === undefined || canonicalize(old) !== canonicalize(entry);
  });
  return Object.fromEntries([...gone.map((name) => [name, null] as const), ...set]);
}

function orphanedConnections(
  before: Manifest,
  after: Manifest,
): { readonly connection: string; readonly issue: ManifestIssue }[] {
  const gone = new Set(Object.keys(before.workloads).filter((name) => !Object.hasOwn(after.workloads, name)));
  return Object.entries(after.connections).flatMap(([connection, { to, from }]) => {
    const workload = [to, from.workload].find((name) => name !== undefined && gone.has(name));
    if (workload === undefined) {
      return [];
    }
    const role = workload === to ? "goes to" : "comes from";
    const message = `can't be deleted while connection ${JSON.stringify(connection)} ${role} it; delete that too`;
    return [{ connection, issue: { path: joinPath("workloads", workload), message } }];
  });
}

function patched<T>(
  entries: Readonly<Record<string, T>>,
  changes: Readonly<Record<string, T | null>> = {},
): Record<string, T> {
  const kept = Object.entries(entries).filter(([name]) => !Object.hasOwn(changes, name));
  const set = Object.entries(changes).flatMap(([name, entry]) => (entry === null ? [] : [[name, entry] as const]));
  return Object.fromEntries([...kept, ...set]);
}
