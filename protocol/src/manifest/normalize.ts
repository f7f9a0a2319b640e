import { nameProblem } from "../identifiers/names";
import { type CheckOptions, type Entries, manifestIssues, workloadIssues } from "./check";
import { compactConnection, compactWorkload } from "./compact";
import { joinPath, ManifestError, type ManifestIssue } from "./error";
import { type Parsed, parseWith } from "./parse";
import { saltRule } from "./rules";
import { humanSchemas } from "./schema";
import type { Manifest, ManifestConnection, ManifestWorkload } from "./types";

/**
 * Brings a workload as a person writes it (quantities such as `"512Mi"`, `container: "nginx:1.27"`) into the form that
 * a manifest holds.
 * @param path what the paths of issues begin with, such as `workloads.web`
 * @throws {ManifestError} with everything that is wrong
 */
export function normalizeWorkload(input: unknown, path = ""): ManifestWorkload {
  const parsed = readWorkload(input, path);
  const issues = "issues" in parsed ? parsed.issues : workloadIssues(path, parsed.value);
  return accept(parsed, issues);
}

/** As {@link normalizeWorkload}, for a connection. */
export function normalizeConnection(input: unknown, path = ""): ManifestConnection {
  const parsed = readConnection(input, path);
  return accept(parsed, "issues" in parsed ? parsed.issues : []);
}

export interface ManifestInputs extends CheckOptions {
  /** 32 bytes in hexadecimal: `manifestSalt`. */
  readonly salt: string;
  /** By name, as people write them. */
  readonly workloads?: Readonly<Record<string, unknown>> | undefined;
  readonly connections?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Makes a whole manifest of what people wrote, as an inline deployment does.
 * @throws {ManifestError} with everything that is wrong, also between the entries
 */
export function buildManifest({ salt, workloads = {}, connections = {}, ...options }: ManifestInputs): Manifest {
  const issues: ManifestIssue[] = [];
  const problem = saltRule(salt);
  if (problem !== undefined) {
    issues.push({ path: "salt", message: problem });
  }
  const entries: Entries = {
    workloads: readEntries("workloads", workloads, readWorkload, issues),
    connections: readEntries("connections", connections, readConnection, issues),
  };
  issues.push(...manifestIssues(entries, options));
  if (issues.length > 0) {
    throw new ManifestError(issues);
  }
  return { schema: 1, salt, workloads: present(entries.workloads), connections: present(entries.connections) };
}

/** Reads every entry that it can; adds what is wrong with the others to `issues`. */
export function readEntries<T>(
  kind: "workloads" | "connections",
  inputs: Readonly<Record<string, unknown>>,
  read: (input: unknown, path: string) => Parsed<T>,
  issues: ManifestIssue[],
): Record<string, T | undefined> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => {
      const path = joinPath(kind, name);
      const problem = nameProblem(name);
      if (problem !== undefined) {
        issues.push({ path, message: problem });
      }
      const parsed = read(input, path);
      if ("issues" in parsed) {
        issues.push(...parsed.issues);
        return [name, undefined];
      }
      return [name, parsed.value];
    }),
  );
}

/** The entries that could be read. */
export function present<T>(entries: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, entry]) => (entry === undefined ? [] : [[name, entry]])),
  );
}

function readWorkload(input: unknown, path: string): Parsed<ManifestWorkload> {
  const parsed = parseWith(humanSchemas().workload, withoutNulls(input), path);
  return "issues" in parsed ? parsed : { value: compactWorkload(parsed.value) };
}

function readConnection(input: unknown, path: string): Parsed<ManifestConnection> {
  const parsed = parseWith(humanSchemas().connection, withoutNulls(input), path);
  return "issues" in parsed ? parsed : { value: compactConnection(parsed.value) };
}

function accept<T>(parsed: Parsed<T>, issues: readonly ManifestIssue[]): T {
  if ("issues" in parsed || issues.length > 0) {
    throw new ManifestError(issues);
  }
  return parsed.value;
}

/** In a program and in a YAML file a property that is null is one that is not there. */
function withoutNulls(input: unknown): unknown {
  if (Array.isArray(input)) {
    return input.map(withoutNulls);
  }
  if (input === null || typeof input !== "object") {
    return input;
  }
  const entries = Object.entries(input).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutNulls(value)]));
}
