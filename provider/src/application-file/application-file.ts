import { type Document, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { checkEntries, checkInfrastructures } from "../resources/deployment/check-deployment";
import { deploymentFields } from "../resources/inputs/deployment-shapes";
import { desiredInfrastructures } from "../resources/inputs/desired";
import { containsUnknown, normalizeFields, Problems } from "../resources/inputs/shape";
import { newNetwork } from "../resources/session";
import { appendKey, type PathStep, parsePath } from "../wire/path";
import type { Value, ValueMap } from "../wire/value";
import { positionOf } from "./position";
import { fillVariables, VariableProblem } from "./variables";

/** Characters of a file beyond which it is not read. */
const LONGEST = 8 * 2 ** 20;

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: "must be text, a number, true or false" });

/**
 * What an application file may have at its top. What lies under a deployment's own properties is told by their shapes,
 * which are the ones of the `Deployment` resource.
 */
const TopLevel = z.strictObject(
  {
    $schema: z.string({ error: "must be the address of the file's schema" }).optional(),
    variables: z.record(z.string(), scalar.nullable(), { error: "must be a map of names to defaults" }).optional(),
    ...Object.fromEntries(Object.keys(deploymentFields).map((name) => [name, z.unknown().optional()])),
  },
  { error: "must be a map" },
);

/** An application as one file says it: what an inline `Deployment` takes. */
export interface ApplicationFile {
  /** Inputs of a `Deployment`, spelled as in the file, with its variables filled in. */
  readonly inputs: ValueMap;
  /** The same in the normal form that the resource's Check makes of them. */
  readonly normal: ValueMap;
}

export interface ApplicationFileOptions {
  /** How messages call the file. */
  readonly file: string;
  /** By name, for `${name}` in the file. May hold secrets and unknowns, which stay what they are. */
  readonly variables?: ValueMap;
  /** What the project's configuration says of a variable that the file declares and that was given no value. */
  readonly configured?: (variable: string) => Value | undefined;
}

export interface ApplicationFileIssue {
  /** Such as `workloads.web.ports[0]`; "" where it is about the whole file. */
  readonly path: string;
  /** A sentence that never quotes a secret. */
  readonly message: string;
  /** From 1 on. */
  readonly line: number;
  readonly column: number;
}

/** A file that can't be used. Its message names every problem with its place. */
export class ApplicationFileError extends Error {
  override readonly name = "ApplicationFileError";
  constructor(
    readonly file: string,
    readonly issues: readonly ApplicationFileIssue[],
  ) {
    const lines = issues.map(({ line, column, message }) => `  ${file}:${line}:${column}: ${message}`);
    super(`${file} is no application file that can be used:\n${lines.join("\n")}`);
  }
}

/**
 * Reads an application file: YAML (or JSON) with the property names of the `Deployment` resource, and `variables`.
 * Everything that can be known without a network is checked, all at once: shapes, names, slots, who may reach whom.
 * @throws {ApplicationFileError}
 */
export function parseApplicationFile(
  text: string,
  { file, variables = {}, configured = () => undefined }: ApplicationFileOptions,
): ApplicationFile {
  const fail = (issues: readonly ApplicationFileIssue[]): never => {
    throw new ApplicationFileError(file, issues);
  };
  if (text.length > LONGEST) {
    fail([{ path: "", message: `has ${text.length} characters; ${LONGEST} are the most`, line: 1, column: 1 }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const issue = (path: readonly PathStep[], message: string): ApplicationFileIssue => {
    const { line, col } = lines.linePos(positionOf(document, path));
    const named = path.reduce<string>(appendKey, "");
    return { path: named, message: named === "" ? message : `${named}: ${message}`, line, column: col };
  };
  if (document.errors.length > 0) {
    fail(
      document.errors.map(({ message, pos: [offset] }) => {
        const { line, col } = lines.linePos(offset);
        return { path: "", message, line, column: col };
      }),
    );
  }
  const parsed = TopLevel.safeParse(plain(document, (path, message) => fail([issue(path, message)])));
  if (!parsed.success) {
    return fail(parsed.error.issues.flatMap((one) => topLevelIssues(one, issue)));
  }
  const { $schema: _schema, variables: declared = {}, ...rest } = parsed.data;
  const given: ValueMap = Object.fromEntries([
    ...Object.entries(declared).map(([name, fallback]) => [name, configured(name) ?? fallback] as const),
    ...Object.entries(variables),
  ]);
  const unknown = Object.keys(variables).filter((name) => !Object.hasOwn(declared, name));
  if (unknown.length > 0) {
    fail(unknown.map((name) => issue(["variables"], `does not declare ${name}, which was given a value`)));
  }
  const missing = Object.keys(declared).filter((name) => (given[name] ?? null) === null);
  if (missing.length > 0) {
    fail(missing.map((name) => issue(["variables", name], "has no default and was given no value")));
  }
  let inputs: ValueMap;
  try {
    inputs = fillVariables(rest as ValueMap, given);
  } catch (error) {
    if (!(error instanceof VariableProblem)) {
      throw error;
    }
    return fail(error.problems.map(({ path, reason }) => issue(path, reason)));
  }
  const problems = new Problems();
  const normal = normalizeFields(inputs, deploymentFields, "", problems);
  if (problems.failures.length === 0) {
    checkInfrastructures(normal, problems);
    const known = !containsUnknown(normal["infrastructures"]);
    // Slots do not depend on the network: prices, which do, play no part in them.
    checkEntries(normal, known ? desiredInfrastructures(normal, newNetwork) : undefined, problems);
  }
  if (problems.failures.length > 0) {
    fail(problems.found.map(({ path, reason }) => issue(parsePath(path), reason)));
  }
  return { inputs, normal };
}

function topLevelIssues(
  { code, path, message, ...more }: z.core.$ZodIssue,
  issue: (path: readonly PathStep[], message: string) => ApplicationFileIssue,
): readonly ApplicationFileIssue[] {
  const steps = path.map((step) => (typeof step === "number" ? step : String(step)));
  if (code !== "unrecognized_keys" || !("keys" in more) || !Array.isArray(more.keys)) {
    return [issue(steps, message)];
  }
  const known = ["variables", ...Object.keys(deploymentFields)].join(", ");
  return more.keys.map((key) => issue([...steps, String(key)], `is not a property here; there are ${known}`));
}

/** The document as values; refuses what no property can carry unchanged. */
function plain(document: Document, refuse: (path: readonly PathStep[], message: string) => never): Value {
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases that would blow up, or that name nothing.
    return refuse([], error instanceof Error ? error.message : String(error));
  }
  const walk = (one: unknown, path: readonly PathStep[]): Value => {
    if (one === null || typeof one === "string" || typeof one === "boolean") {
      return one;
    }
    if (typeof one === "number") {
      const exact = Number.isFinite(one) && (!Number.isInteger(one) || Number.isSafeInteger(one));
      return exact ? one : refuse(path, "is no number that can be kept exactly; write it in quotes");
    }
    if (Array.isArray(one)) {
      return one.map((entry, index) => walk(entry, [...path, index]));
    }
    if (typeof one === "object") {
      return Object.fromEntries(Object.entries(one).map(([key, entry]) => [key, walk(entry, [...path, key])]));
    }
    return refuse(path, "is no value that a property can have");
  };
  return walk(value, []);
}
