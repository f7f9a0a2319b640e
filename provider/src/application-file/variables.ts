import { containsUnknown, isList, isMap, withoutMarks } from "../resources/inputs/shape";
import type { PathStep } from "../wire/path";
import { Secret, Unknown, type Value, type ValueMap } from "../wire/value";

/** References to variables that are not there. */
export class VariableProblem extends Error {
  override readonly name = "VariableProblem";
  constructor(readonly problems: readonly { readonly path: readonly PathStep[]; readonly reason: string }[]) {
    super(problems.map(({ path, reason }) => `${path.join(".")}: ${reason}`).join("\n"));
  }
}

/**
 * Fills `${name}` in texts. A text that is one reference and nothing else becomes the variable's value, whatever its
 * kind; in a longer one it is written out. `$${` stands for `${`. What holds a secret becomes one, what holds an unknown
 * is unknown.
 * @throws {VariableProblem}
 */
export function fillVariables(values: ValueMap, variables: ValueMap): ValueMap {
  const problems: { path: readonly PathStep[]; reason: string }[] = [];
  const walk = (value: Value, path: readonly PathStep[]): Value => {
    if (typeof value === "string") {
      return fillText(value, variables, (reason) => problems.push({ path, reason }));
    }
    if (isList(value)) {
      return value.map((entry, index) => walk(entry, [...path, index]));
    }
    if (isMap(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, walk(entry, [...path, key])]));
    }
    return value;
  };
  const filled = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, walk(value, [key])]));
  if (problems.length > 0) {
    throw new VariableProblem(problems);
  }
  return filled;
}

/** `$${` first, so that it is never read as a reference. */
const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;

function fillText(text: string, variables: ValueMap, problem: (reason: string) => void): Value {
  const valueNamed = (name: string): Value | undefined => {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (value === undefined || value === null) {
      const known = Object.keys(variables).join(", ") || "none";
      problem(`there is no variable ${JSON.stringify(name)}; declared are: ${known} (\`$\${\` writes a plain \`\${\`)`);
      return undefined;
    }
    return value;
  };
  const [whole] = [...text.matchAll(REFERENCE)];
  if (whole?.[0] === text && whole[1] !== undefined) {
    return valueNamed(whole[1]) ?? null;
  }
  const used: Value[] = [];
  const filled = text.replace(REFERENCE, (_found, name: string | undefined) => {
    if (name === undefined) {
      return "${";
    }
    const value = valueNamed(name);
    if (value === undefined) {
      return "";
    }
    used.push(value);
    const plain = containsUnknown(value) ? "" : withoutMarks(value);
    if (typeof plain === "object") {
      problem(`variable ${JSON.stringify(name)} is no text that could stand within another`);
      return "";
    }
    return String(plain);
  });
  if (used.some(containsUnknown)) {
    return Unknown.instance;
  }
  return used.some((value) => value instanceof Secret) ? new Secret(filled) : filled;
}
