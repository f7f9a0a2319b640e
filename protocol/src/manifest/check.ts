import { joinPath, ManifestError, type ManifestIssue } from "./error";
import { MAX_ENTRIES } from "./rules";
import type { Manifest, ManifestConnection, ManifestWorkload } from "./types";

export interface CheckOptions {
  /** Names of the infrastructures that the deployment has. Absent: placements are not checked. */
  readonly infrastructures?: Iterable<string>;
}

/** Entries as far as they could be read; `undefined`: it is there, but something else is wrong with it. */
export interface Entries {
  readonly workloads: Readonly<Record<string, ManifestWorkload | undefined>>;
  readonly connections: Readonly<Record<string, ManifestConnection | undefined>>;
}

/** What is wrong between the entries of a manifest: targets, sources, ports and placements that don't exist. */
export function manifestIssues(entries: Entries, options: CheckOptions = {}): ManifestIssue[] {
  const { workloads, connections } = entries;
  const infrastructures = options.infrastructures && new Set(options.infrastructures);
  const count = Object.keys(workloads).length + Object.keys(connections).length;
  return [
    ...(count > MAX_ENTRIES
      ? [{ path: "", message: `there are ${count} workloads and connections; a manifest holds at most ${MAX_ENTRIES}` }]
      : []),
    ...Object.entries(workloads).flatMap(([name, workload]) =>
      workload === undefined ? [] : workloadIssues(joinPath("workloads", name), workload, infrastructures),
    ),
    ...Object.entries(connections).flatMap(([name, connection]) =>
      connection === undefined
        ? []
        : connectionIssues(joinPath("connections", name), connection, entries, infrastructures),
    ),
    ...repeatedConnections(connections),
  ];
}

/** @throws {ManifestError} with every issue that {@link manifestIssues} finds */
export function checkManifest(manifest: Manifest, options: CheckOptions = {}): void {
  const issues = manifestIssues(manifest, options);
  if (issues.length > 0) {
    throw new ManifestError(issues);
  }
}

/** What is wrong with a workload beyond its schema; also for one that stands alone. */
export function workloadIssues(
  path: string,
  workload: ManifestWorkload,
  infrastructures?: ReadonlySet<string>,
): ManifestIssue[] {
  const { healthCheck, infrastructure, ports } = workload;
  const issues = infrastructureIssues(joinPath(path, "infrastructure"), infrastructure, infrastructures);
  const needsPort = healthCheck !== undefined && healthCheck.command === undefined;
  if (needsPort && healthCheck.port === undefined && ports === undefined) {
    const message = "has no port to ask: give the workload ports, or the check a port";
    issues.push({ path: joinPath(path, "healthCheck"), message });
  }
  return issues;
}

function connectionIssues(
  path: string,
  connection: ManifestConnection,
  { workloads }: Entries,
  infrastructures: ReadonlySet<string> | undefined,
): ManifestIssue[] {
  const { to, port, from } = connection;
  const issues: ManifestIssue[] = [];
  const missing = (name: string) => `there is no workload ${JSON.stringify(name)}${known(Object.keys(workloads))}`;
  if (!Object.hasOwn(workloads, to)) {
    issues.push({ path: joinPath(path, "to"), message: missing(to) });
  }
  const target = Object.hasOwn(workloads, to) ? workloads[to] : undefined;
  if (target !== undefined && !target.ports?.includes(port)) {
    const ports = target.ports === undefined ? "it has none" : `its ports are ${target.ports.join(", ")}`;
    const message = `${port} is not a port of workload ${JSON.stringify(to)}: ${ports}`;
    issues.push({ path: joinPath(path, "port"), message });
  }
  if (from.workload !== undefined && !Object.hasOwn(workloads, from.workload)) {
    issues.push({ path: joinPath(path, "from", "workload"), message: missing(from.workload) });
  }
  if (from.infrastructure !== undefined) {
    const place = joinPath(path, "from", "infrastructure");
    issues.push(...infrastructureIssues(place, from.infrastructure, infrastructures));
  }
  return issues;
}

function infrastructureIssues(
  path: string,
  name: string,
  infrastructures: ReadonlySet<string> | undefined,
): ManifestIssue[] {
  return infrastructures === undefined || infrastructures.has(name)
    ? []
    : [{ path, message: `there is no infrastructure ${JSON.stringify(name)}${known([...infrastructures])}` }];
}

/** Two of them would fight for one name and port inside the source. */
function repeatedConnections(connections: Entries["connections"]): ManifestIssue[] {
  const seen = new Map<string, string>();
  return Object.entries(connections).flatMap(([name, connection]) => {
    if (connection === undefined) {
      return [];
    }
    const { to, port, from } = connection;
    const key = JSON.stringify([to, port, from.workload, from.infrastructure, from.global]);
    const other = seen.get(key);
    seen.set(key, name);
    const message = `opens the same as connection ${JSON.stringify(other)}`;
    return other === undefined ? [] : [{ path: joinPath("connections", name), message }];
  });
}

function known(names: readonly string[]): string {
  if (names.length === 0) {
    return "";
  }
  const shown = names.slice(0, 10).join(", ");
  return `; there ${names.length === 1 ? "is" : "are"} ${shown}${names.length > 10 ? ", …" : ""}`;
}
