import { appendKey } from "../../wire/path";
import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "../../wire/value";
import type { CheckFailure } from "../resource";

/**
 * Input shapes: each takes a value as a person wrote it to its normal form, or says what is wrong with it and where.
 * Unknown values pass as they are (they are checked once they are known) and secrets stay secret.
 */
export interface Shape {
  /** `undefined`: left out, because it was absent, or because it was wrong and `problems` knows. */
  normalize(value: Value, path: string, problems: Problems): Value | undefined;
}

/** What is wrong with a resource's inputs. Never quotes a value that is, or lies in, a secret. */
export class Problems {
  readonly #failures: CheckFailure[] = [];
  readonly #found: { readonly path: string; readonly reason: string }[] = [];
  #secretDepth = 0;

  /** `reason` is a sentence without the property's name. */
  add(path: string, reason: string): void {
    // The engine prints the value of the property that a failure names: harmless for plain top-level ones only.
    const named = this.#secretDepth === 0 && !/[.[]/.test(path);
    this.#found.push({ path, reason });
    this.#failures.push({ property: named ? path : "", reason: `${path}: ${reason}` });
  }

  /** What is wrong with all of it: a whole sentence. */
  addToAll(reason: string): void {
    this.#found.push({ path: "", reason });
    this.#failures.push({ property: "", reason });
  }

  /** `, not …` with the offending value; nothing where that value is secret. */
  quoting(value: Value): string {
    if (this.#secretDepth > 0) {
      return "";
    }
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      return `, not ${JSON.stringify(value)}`;
    }
    return "";
  }

  inSecret<T>(work: () => T): T {
    this.#secretDepth += 1;
    try {
      return work();
    } finally {
      this.#secretDepth -= 1;
    }
  }

  get failures(): readonly CheckFailure[] {
    return this.#failures;
  }

  /** The same with the whole path of each, for whoever shows places and never values. */
  get found(): readonly { readonly path: string; readonly reason: string }[] {
    return this.#found;
  }
}

/** A shape that sees neither unknowns nor secrets. */
export function shape(normalize: Shape["normalize"]): Shape {
  const outer: Shape = {
    normalize(value, path, problems) {
      if (value instanceof Unknown) {
        return value;
      }
      if (value instanceof Secret) {
        return problems.inSecret(() => {
          const inner = outer.normalize(value.reveal(), path, problems);
          return inner === undefined ? undefined : new Secret(inner);
        });
      }
      return normalize(value, path, problems);
    },
  };
  return outer;
}

/** Text, by a rule that returns the normal form or throws an Error whose message says what it must be. */
export function text(rule: (text: string) => string): Shape {
  return shape((value, path, problems) => {
    if (typeof value !== "string" && typeof value !== "number") {
      problems.add(path, `must be text${problems.quoting(value)}`);
      return undefined;
    }
    return attempt(() => rule(String(value)), value, path, problems);
  });
}

/** Any text, as it is. */
export const anyText: Shape = text((value) => value);

/** Text or number, by a rule that returns the normal form or throws an Error whose message says what it must be. */
export function quantity(rule: (value: string | number) => string): Shape {
  return shape((value, path, problems) => {
    if (typeof value !== "string" && typeof value !== "number") {
      problems.add(path, `must be a quantity${problems.quoting(value)}`);
      return undefined;
    }
    return attempt(() => rule(value), value, path, problems);
  });
}

/** A whole number within bounds; digits in text count. */
export function integer(bounds: { readonly least: number; readonly most: number }): Shape {
  return shape((value, path, problems) => {
    const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < bounds.least || number > bounds.most) {
      problems.add(path, `must be a whole number from ${bounds.least} to ${bounds.most}${problems.quoting(value)}`);
      return undefined;
    }
    return number;
  });
}

export const flag: Shape = shape((value, path, problems) => {
  if (value === true || value === "true") {
    return true;
  }
  if (value === false || value === "false") {
    return false;
  }
  problems.add(path, `must be true or false${problems.quoting(value)}`);
  return undefined;
});

export function choice(...options: readonly string[]): Shape {
  return text((value) => {
    if (!options.includes(value)) {
      throw new Error(`must be one of ${options.join(", ")}`);
    }
    return value;
  });
}

/** A list whose order means something. */
export function list(item: Shape): Shape {
  return shape((value, path, problems) => {
    if (!isList(value)) {
      problems.add(path, `must be a list${problems.quoting(value)}`);
      return undefined;
    }
    return value.map((entry, index) => item.normalize(entry, appendKey(path, index), problems) ?? null);
  });
}

/** A list whose order means nothing: sorted, without repetitions; left out when empty. */
export function set(item: Shape): Shape {
  const inOrder = list(item);
  return shape((value, path, problems) => {
    const entries = inOrder.normalize(value, path, problems);
    if (!isList(entries)) {
      return entries;
    }
    if (entries.some((entry) => typeof entry !== "string" && typeof entry !== "number")) {
      return entries;
    }
    const plain = entries.filter((entry) => typeof entry === "string" || typeof entry === "number");
    const sorted = [...new Set(plain)].sort((a, b) =>
      typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1,
    );
    return sorted.length === 0 ? undefined : sorted;
  });
}

/** Entries by name. `keyRule` throws an Error whose message says what a name must be. */
export function map(item: Shape, keyRule: (key: string) => void): Shape {
  return shape((value, path, problems) => {
    if (!isMap(value)) {
      problems.add(path, `must be a map${problems.quoting(value)}`);
      return undefined;
    }
    const entries: Record<string, Value> = {};
    for (const key of Object.keys(value).sort()) {
      const at = appendKey(path, key);
      try {
        keyRule(key);
      } catch (error) {
        problems.add(at, error instanceof Error ? error.message : String(error));
      }
      const entry = value[key];
      if (entry === undefined || entry === null) {
        continue;
      }
      const normal = item.normalize(entry, at, problems);
      if (normal !== undefined) {
        entries[key] = normal;
      }
    }
    return entries;
  });
}

export interface Field {
  readonly shape: Shape;
  readonly required?: true;
  /** The normal form that means the same as leaving it out. */
  readonly absent?: Value;
}

/** An object of known fields; a field that it does not know is an error, for a typo would be silence otherwise. */
export function object(
  fields: Readonly<Record<string, Field>>,
  whole?: (value: ValueMap) => string | undefined,
): Shape {
  return shape((value, path, problems) => {
    if (!isMap(value)) {
      problems.add(path, `must be an object${problems.quoting(value)}`);
      return undefined;
    }
    return normalizeFields(value, fields, path, problems, whole);
  });
}

/** As `object`, for the inputs of a resource themselves. */
export function normalizeFields(
  value: ValueMap,
  fields: Readonly<Record<string, Field>>,
  path: string,
  problems: Problems,
  whole?: (value: ValueMap) => string | undefined,
): ValueMap {
  const before = problems.failures.length;
  const normal: Record<string, Value> = {};
  const at = (name: string): string => appendKey(path, name);
  for (const name of Object.keys(value)) {
    if (!(name in fields) && !name.startsWith("__")) {
      problems.add(at(name), `is not a property here; there are ${Object.keys(fields).join(", ")}`);
    }
  }
  for (const [name, field] of Object.entries(fields)) {
    const entry = value[name];
    if (entry === undefined || entry === null) {
      if (field.required) {
        problems.add(at(name), "is missing");
      }
      continue;
    }
    const result = field.shape.normalize(entry, at(name), problems);
    if (result !== undefined && !(field.absent !== undefined && plainEqual(result, field.absent))) {
      normal[name] = result;
    }
  }
  const problem = problems.failures.length === before ? whole?.(normal) : undefined;
  if (problem !== undefined) {
    problems.add(path === "" ? Object.keys(fields).join("/") : path, problem);
  }
  return normal;
}

/** The id of another resource: given as itself, as its id, or not known yet. */
export function reference(rule: (id: string) => string): Shape {
  return shape((value, path, problems) => {
    const id = value instanceof ResourceReference ? value.id : value;
    if (id instanceof Unknown || id === "") {
      return Unknown.instance;
    }
    if (isMap(id) && id["id"] !== undefined) {
      return reference(rule).normalize(id["id"], path, problems);
    }
    if (typeof id !== "string") {
      problems.add(path, "must be a resource or its id");
      return undefined;
    }
    return attempt(() => rule(id), id, path, problems);
  });
}

function attempt(work: () => string, value: Value, path: string, problems: Problems): string | undefined {
  try {
    return work();
  } catch (error) {
    problems.add(path, `${error instanceof Error ? error.message : String(error)}${problems.quoting(value)}`);
    return undefined;
  }
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value | undefined): value is ValueMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Secret) &&
    !(value instanceof Unknown) &&
    !(value instanceof ResourceReference)
  );
}

function plainEqual(a: Value, b: Value): boolean {
  return !containsUnknown(a) && JSON.stringify(a) === JSON.stringify(b);
}

export function containsUnknown(value: Value | undefined): boolean {
  if (value instanceof Unknown) {
    return true;
  }
  if (value instanceof ResourceReference) {
    return value.id instanceof Unknown;
  }
  if (value instanceof Secret) {
    return containsUnknown(value.reveal());
  }
  if (isList(value)) {
    return value.some(containsUnknown);
  }
  return isMap(value) && Object.values(value).some(containsUnknown);
}

export function containsSecret(value: Value | undefined): boolean {
  if (value instanceof Secret) {
    return true;
  }
  if (isList(value)) {
    return value.some(containsSecret);
  }
  return isMap(value) && Object.values(value).some(containsSecret);
}

/** The value with every secret's mark taken off: for comparing and for the manifest, never for outputs. */
export function withoutMarks(value: Value): Value {
  if (value instanceof Secret) {
    return withoutMarks(value.reveal());
  }
  if (isList(value)) {
    return value.map(withoutMarks);
  }
  if (isMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutMarks(entry)]));
  }
  return value;
}
