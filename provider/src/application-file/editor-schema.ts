import type { PropertySpec, TypeSpec } from "../schema/build";
import { deploymentInputs } from "../schema/resources";
import { types } from "../schema/types";

interface ObjectSpec {
  readonly description: string;
  readonly properties: Readonly<Record<string, PropertySpec>>;
  readonly required: readonly string[];
}

/** What every value may be instead of itself: a reference to a variable. */
const variable = { $ref: "#/definitions/variable" };

/**
 * JSON Schema (draft-07, which editors know best) of application files, from the same source as the package schema.
 * Editors complete from it; what a file means is told by `parseApplicationFile`, which checks more.
 */
export function applicationFileSchema(): object {
  const { properties, required } = deploymentInputs();
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "dcx application",
    description: "Infrastructure and manifest of an application on a decentralized cloud exchange.",
    type: "object",
    additionalProperties: false,
    required,
    properties: {
      $schema: { type: "string", description: "The address of this schema, for editors." },
      variables: {
        description:
          "Values that whoever uses the file may give, with their defaults; null: one has to be given. `${name}` anywhere in the file stands for one.",
        type: "object",
        additionalProperties: { type: ["string", "number", "boolean", "null"] },
      },
      ...mapped(properties),
    },
    definitions: {
      variable: { type: "string", pattern: "\\$\\{[^}]*\\}" },
      ...Object.fromEntries(
        Object.entries(types)
          .filter(([name]) => reachable.has(name))
          .map(([name, spec]) => [name, objectSchema(spec as ObjectSpec)]),
      ),
    },
  };
}

export function applicationFileSchemaText(): string {
  return `${JSON.stringify(applicationFileSchema(), null, 2)}\n`;
}

function objectSchema({ description, properties, required }: ObjectSpec): object {
  return { description, type: "object", additionalProperties: false, required, properties: mapped(properties) };
}

function mapped(properties: Readonly<Record<string, PropertySpec>>): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, { description, secret: _secret, willReplaceOnChanges: _, ...type }]) => [
      name,
      { description, ...typeSchema(type) },
    ]),
  );
}

function typeSchema(spec: TypeSpec): object {
  if (spec.$ref !== undefined) {
    return { anyOf: [{ $ref: definition(spec.$ref) }, variable] };
  }
  if (spec.oneOf !== undefined) {
    return { anyOf: [...spec.oneOf.map(typeSchema), variable] };
  }
  switch (spec.type) {
    case "array":
      return { anyOf: [{ type: "array", items: typeSchema(spec.items ?? {}) }, variable] };
    case "object":
      return {
        anyOf: [{ type: "object", additionalProperties: entrySchema(spec.additionalProperties ?? {}) }, variable],
      };
    case "string":
      // Digits without quotes are text too.
      return { type: ["string", "number"] };
    case "integer":
    case "number":
    case "boolean":
      return { anyOf: [{ type: spec.type }, variable] };
    default:
      return {};
  }
}

/** Values of a map of texts, such as an environment: numbers and truth values become texts. */
function entrySchema(spec: TypeSpec): object {
  return spec.type === "string" ? { type: ["string", "number", "boolean"] } : typeSchema(spec);
}

function definition(reference: string): string {
  return reference.replace("#/types/dcx:index:", "#/definitions/");
}

/** Types that a deployment's inputs are made of, through others too. */
const reachable: ReadonlySet<string> = reach();

function reach(): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (text: string): void => {
    for (const [, name = ""] of text.matchAll(/#\/types\/dcx:index:(\w+)/g)) {
      if (!found.has(name)) {
        found.add(name);
        visit(JSON.stringify(types[name]));
      }
    }
  };
  visit(JSON.stringify(deploymentInputs().properties));
  return found;
}
