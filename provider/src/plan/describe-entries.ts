import type { Manifest, ManifestConnection, ManifestWorkload } from "@dcx/protocol";

/** What a change to an entry means, for a person. Values of an environment and credentials are never said. */

/** Digests by image, where a registry has said them. */
export type Digests = ReadonlyMap<string, string>;

const none: Digests = new Map();

/** What becomes of one entry of a manifest. */
export interface EntryChange {
  readonly kind: "workloads" | "connections";
  readonly name: string;
  readonly action: "add" | "change" | "remove";
  readonly text: string;
  /** Of a workload that is there afterwards. */
  readonly image: string | undefined;
}

/** @param before absent: it is new */
export function describeWorkload(
  before: ManifestWorkload | undefined,
  after: ManifestWorkload,
  digests: Digests = none,
): string {
  const count = after.count ?? 1;
  if (before === undefined) {
    return `${imageText(after.container.image)}${digestText(after, digests)}    ${instances(count)} in ${after.infrastructure}`;
  }
  const changes = workloadChanges(before, after, digests);
  if (changes.length === 0) {
    return "as it runs: nothing is restarted";
  }
  const then = Object.keys({ ...before, ...after }).every((field) => field === "count" || !differ(field, before, after))
    ? countText((before.count ?? 1) - count)
    : `rolling, ${instances(count)}`;
  const moved = before.infrastructure !== after.infrastructure;
  return `${changes.join(", ")}    ${then}${moved ? "" : ", no lease moves"}`;
}

/** @param before absent: it is new */
export function describeConnection(before: ManifestConnection | undefined, after: ManifestConnection): string {
  const text = `port ${after.port} of ${after.to} to ${sourceText(after)}`;
  if (before === undefined) {
    return `opens ${text}`;
  }
  return same(before, after)
    ? "as it is: nothing is interrupted"
    : `port ${before.port} of ${before.to} to ${sourceText(before)} → ${text}`;
}

/** Whatever a change adds, changes or removes. */
export function describeEntries(
  before: Manifest | undefined,
  after: Manifest,
  digests: Digests = none,
): readonly EntryChange[] {
  return [
    ...changesOf("workloads", before?.workloads, after.workloads, "stops", (was, is) =>
      describeWorkload(was, is, digests),
    ),
    ...changesOf("connections", before?.connections, after.connections, "closes", describeConnection),
  ];
}

function changesOf<Entry extends ManifestWorkload | ManifestConnection>(
  kind: EntryChange["kind"],
  before: Readonly<Record<string, Entry>> | undefined,
  after: Readonly<Record<string, Entry>>,
  ends: string,
  describe: (was: Entry | undefined, is: Entry) => string,
): readonly EntryChange[] {
  const changed = Object.entries(after).flatMap(([name, entry]): EntryChange[] => {
    const was = own(before, name);
    const image = "container" in entry ? entry.container.image : undefined;
    const action = was === undefined ? "add" : "change";
    return was !== undefined && same(was, entry) ? [] : [{ kind, name, action, text: describe(was, entry), image }];
  });
  const gone = Object.keys(before ?? {}).filter((name) => own(after, name) === undefined);
  return [
    ...changed,
    ...gone.map((name): EntryChange => ({ kind, name, action: "remove", text: ends, image: undefined })),
  ];
}

function workloadChanges(before: ManifestWorkload, after: ManifestWorkload, digests: Digests): readonly string[] {
  const changes: string[] = [];
  if (before.container.image !== after.container.image) {
    changes.push(`${imageChange(before.container.image, after.container.image)}${digestText(after, digests)}`);
  }
  if (!same(before.container.credentials, after.container.credentials)) {
    changes.push("credentials");
  }
  if (before.infrastructure !== after.infrastructure) {
    changes.push(`moves from ${before.infrastructure} to ${after.infrastructure}`);
  }
  if ((before.count ?? 1) !== (after.count ?? 1)) {
    changes.push(`count ${before.count ?? 1} → ${after.count ?? 1}`);
  }
  if (differ("environment", before, after)) {
    changes.push(`environment ${changedKeys(before.environment ?? {}, after.environment ?? {}).join(" ")}`);
  }
  if (differ("ports", before, after)) {
    changes.push(`ports ${list(before.ports)} → ${list(after.ports)}`);
  }
  const rest = { command: "command", arguments: "arguments", healthCheck: "health check", volumes: "volumes" };
  const more = { compute: "compute", group: "group", egress: "egress" };
  for (const [field, words] of Object.entries({ ...rest, ...more })) {
    if (differ(field, before, after)) {
      changes.push(words);
    }
  }
  return changes;
}

/** Of the same repository only what differs is said twice. */
function imageChange(before: string, after: string): string {
  const [repository, tag] = splitImage(after);
  const [old] = splitImage(before);
  return old === repository && tag !== ""
    ? `${imageText(before)} → ${imageText(tag)}`
    : `${imageText(before)} → ${imageText(after)}`;
}

function splitImage(image: string): readonly [repository: string, tag: string] {
  const found = /^(.*?)(?::([^:/@]+(?:@.*)?)|@(.*))$/.exec(image);
  return found === null ? [image, ""] : [found[1] ?? "", found[2] ?? found[3] ?? ""];
}

/** With as much of a digest as tells images apart. */
function imageText(image: string): string {
  return image.replace(/(sha256:[0-9a-f]{12})[0-9a-f]+/, "$1…");
}

/** What a tag stands for, where its registry has said that. */
function digestText({ container: { image } }: ManifestWorkload, digests: Digests): string {
  const digest = digests.get(image);
  return digest === undefined ? "" : ` (${imageText(digest)})`;
}

function sourceText({ from }: ManifestConnection): string {
  if (from.global === true) {
    return from.hosts === undefined ? "everyone" : `everyone, as ${from.hosts.join(" ")}`;
  }
  return from.workload ?? `infrastructure ${from.infrastructure ?? ""}`;
}

function instances(count: number): string {
  return `${count} ${count === 1 ? "instance" : "instances"}`;
}

function countText(less: number): string {
  return less > 0 ? `stops ${instances(less)}` : `starts ${instances(-less)}`;
}

function changedKeys(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => !same(own(before, key), own(after, key)))
    .map((key) => `${own(before, key) === undefined ? "+" : own(after, key) === undefined ? "-" : ""}${key}`)
    .sort();
}

function list(values: readonly unknown[] | undefined): string {
  return values === undefined || values.length === 0 ? "none" : values.join(" ");
}

function own<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}

function differ(field: string, before: ManifestWorkload, after: ManifestWorkload): boolean {
  return !same(own<unknown>({ ...before }, field), own<unknown>({ ...after }, field));
}

function same(a: unknown, b: unknown): boolean {
  return text(a) === text(b);
}

function text(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? ""
  );
}
