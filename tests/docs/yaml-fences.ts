import { parseDocument } from "yaml";
import { z } from "zod";
import type { Program } from "../support/stack";
import { type Fence, placeOf } from "./fences";

const Part = z.record(z.string(), z.unknown()).optional();
const ProgramText = z.looseObject({ config: Part, variables: Part, resources: Part, outputs: Part });
type ProgramText = z.infer<typeof ProgramText>;

/** A YAML block, read. Throws naming its place where it is no YAML. */
export function readYaml(fence: Fence): unknown {
  const document = parseDocument(fence.text);
  const [error] = document.errors;
  if (error !== undefined) {
    throw new Error(`${placeOf(fence)}: ${error.message}`);
  }
  return document.toJS();
}

/** A block and what it continues as one program; undefined where it declares no resources. */
export function programOf(block: readonly Fence[]): ProgramText | undefined {
  const parts = block.map((fence) => ProgramText.safeParse(readYaml(fence)).data ?? {});
  const together = (name: "config" | "variables" | "resources" | "outputs"): Record<string, unknown> =>
    Object.assign({}, ...parts.map((part) => part[name] ?? {}));
  const program = {
    config: together("config"),
    variables: together("variables"),
    resources: together("resources"),
    outputs: together("outputs"),
  };
  return Object.keys(program.resources).length === 0 ? undefined : program;
}

/**
 * Many programs as one, so that the engine has to run once: what each declares gets a name of its own (the program's
 * key before it), also where it refers to it.
 */
export function mergePrograms(programs: Readonly<Record<string, ProgramText>>): Program {
  const merged = { variables: {}, resources: {}, outputs: {} };
  for (const [key, { variables = {}, resources = {}, outputs = {} }] of Object.entries(programs)) {
    const own = new Set([...Object.keys(variables), ...Object.keys(resources)]);
    const renamed = (part: Record<string, unknown>): Record<string, unknown> =>
      Object.fromEntries(Object.entries(part).map(([name, value]) => [`${key}-${name}`, refer(value, key, own)]));
    Object.assign(merged.variables, renamed(variables));
    Object.assign(merged.resources, renamed(resources));
    Object.assign(merged.outputs, renamed(outputs));
  }
  return merged;
}

function refer(value: unknown, key: string, own: ReadonlySet<string>): unknown {
  if (typeof value === "string") {
    return value.replaceAll(/\$\{([A-Za-z][\w-]*)/g, (all, name: string) =>
      own.has(name) ? `\${${key}-${name}` : all,
    );
  }
  if (Array.isArray(value)) {
    return value.map((item) => refer(item, key, own));
  }
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, refer(item, key, own)]))
    : value;
}
