import {
  formatCpu,
  formatDuration,
  formatSize,
  type ManifestConnection,
  type ManifestHealthCheck,
  type ManifestWorkload,
  normalizeConnection,
  normalizeWorkload,
} from "@dcx/protocol";
import { Secret, type Value, type ValueMap } from "../../wire/value";
import { connectionFields, workloadFields } from "./manifest-shapes";
import { isList, isMap, withoutMarks } from "./shape";

/**
 * Manifest entries from normal inputs, and back. Both directions lose nothing: an entry that went to a datacenter
 * and is read back is the same normal input.
 */

/**
 * @param inputs normal and without unknowns; fields that no workload has are ignored
 * @throws {ManifestError} with what is wrong beyond the shape of each field
 */
export function manifestWorkload(inputs: ValueMap): ManifestWorkload {
  return normalizeWorkload(picked(inputs, workloadFields));
}

/** As `manifestWorkload`, for a connection. */
export function manifestConnection(inputs: ValueMap): ManifestConnection {
  return normalizeConnection(picked(inputs, connectionFields));
}

/** The entries of an inline map (`workloads`, `connections`) without marks; empty where there is none. */
export function plainEntries(map: Value | undefined): Record<string, ValueMap> {
  const plain = map === undefined ? {} : withoutMarks(map);
  return isMap(plain)
    ? Object.fromEntries(Object.entries(plain).map(([name, entry]) => [name, isMap(entry) ? entry : {}]))
    : {};
}

function picked(inputs: ValueMap, fields: Readonly<Record<string, unknown>>): ValueMap {
  const plain = withoutMarks(inputs);
  return isMap(plain) ? Object.fromEntries(Object.entries(plain).filter(([name]) => name in fields)) : {};
}

/**
 * The normal inputs of an entry that was read. `marks` are the inputs or the state that knew it before: what was
 * secret there is secret again. Without them (an import) every environment value and credential is.
 */
export function workloadInputs(entry: ManifestWorkload, marks: ValueMap | undefined): ValueMap {
  const { credentials } = entry.container;
  const environment =
    entry.environment === undefined ? undefined : mapValues(entry.environment, (value) => new Secret(value));
  const all: ValueMap = present({
    infrastructure: entry.infrastructure,
    container:
      credentials === undefined
        ? entry.container.image
        : {
            image: entry.container.image,
            credentials: { username: credentials.username, password: new Secret(credentials.password) },
          },
    command: entry.command,
    arguments: entry.arguments,
    environment,
    ports: entry.ports,
    healthCheck: entry.healthCheck === undefined ? undefined : healthCheckInputs(entry.healthCheck),
    volumes:
      entry.volumes === undefined
        ? undefined
        : mapValues(entry.volumes, ({ path, size }) => ({ path, size: formatSize(BigInt(size)) })),
    compute:
      entry.compute === undefined
        ? undefined
        : present({
            cpu: entry.compute.cpu === undefined ? undefined : formatCpu(entry.compute.cpu),
            memory: entry.compute.memory === undefined ? undefined : formatSize(BigInt(entry.compute.memory)),
            disk: entry.compute.disk === undefined ? undefined : formatSize(BigInt(entry.compute.disk)),
            gpu: entry.compute.gpu === undefined ? undefined : present({ ...entry.compute.gpu }),
          }),
    group: entry.group,
    count: entry.count,
    egress: entry.egress?.map((rule) => present({ ...rule })),
  });
  return marks === undefined ? all : markLike(all, marks);
}

export function connectionInputs(entry: ManifestConnection): ValueMap {
  return { to: entry.to, port: entry.port, from: present({ ...entry.from }) };
}

/** The values of `plain` with the secrets' marks of `marks`; what `marks` does not know keeps its own. */
function markLike(plain: ValueMap, marks: ValueMap): ValueMap {
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, markValue(value, marks[key])]));
}

function markValue(value: Value, marks: Value | undefined): Value {
  if (marks instanceof Secret) {
    return new Secret(withoutMarks(value));
  }
  if (marks === undefined) {
    return value;
  }
  if (value instanceof Secret) {
    // Known before, and not as a secret.
    return markValue(value.reveal(), marks);
  }
  if (isList(value) && isList(marks)) {
    return value.map((entry, index) => markValue(entry, marks[index]));
  }
  return isMap(value) && isMap(marks) ? markLike(value, marks) : value;
}

function healthCheckInputs(check: ManifestHealthCheck): ValueMap {
  const { interval, timeout, ...rest } = check;
  return present({
    ...rest,
    interval: interval === undefined ? undefined : formatDuration(interval),
    timeout: timeout === undefined ? undefined : formatDuration(timeout),
  });
}

function mapValues<T>(map: Readonly<Record<string, T>>, change: (value: T) => Value): ValueMap {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}

function present(map: Readonly<Record<string, Value | undefined>>): ValueMap {
  const kept: Record<string, Value> = {};
  for (const [key, value] of Object.entries(map)) {
    if (value !== undefined) {
      kept[key] = value;
    }
  }
  return kept;
}
