/**
 * A small vocabulary for Pulumi's package schema (pulumi/pulumi pkg/codegen/schema/pulumi.json), typed as far as we
 * use it.
 */
export interface TypeSpec {
  readonly type?: "string" | "number" | "integer" | "boolean" | "array" | "object";
  readonly items?: TypeSpec;
  readonly additionalProperties?: TypeSpec;
  readonly $ref?: string;
  readonly oneOf?: readonly TypeSpec[];
}

export interface PropertySpec extends TypeSpec {
  readonly description: string;
  readonly secret?: true;
  /** A change of it replaces the resource. */
  readonly willReplaceOnChanges?: true;
}

/** A property and whether it has to be given (of an input) or is always there (of an output). */
export interface Property {
  readonly spec: PropertySpec;
  readonly required: boolean;
}

export type Properties = Readonly<Record<string, Property>>;

export const text: TypeSpec = { type: "string" };
export const number: TypeSpec = { type: "number" };
export const integer: TypeSpec = { type: "integer" };
export const flag: TypeSpec = { type: "boolean" };
/** What a person writes as `1`, `0.5`, `"500m"` or `"512Mi"`. */
export const quantity: TypeSpec = { oneOf: [number, text] };

export function listOf(items: TypeSpec): TypeSpec {
  return { type: "array", items };
}

export function mapOf(additionalProperties: TypeSpec): TypeSpec {
  return { type: "object", additionalProperties };
}

export function either(...oneOf: readonly TypeSpec[]): TypeSpec {
  return { oneOf };
}

/** An object type of ours, by its name without the module. */
export function typeNamed(name: string): TypeSpec {
  return { $ref: `#/types/dcx:index:${name}` };
}

export function resourceNamed(name: string): TypeSpec {
  return { $ref: `#/resources/dcx:index:${name}` };
}

export function required(type: TypeSpec, description: string, more: Partial<PropertySpec> = {}): Property {
  return { spec: { ...type, description, ...more }, required: true };
}

export function optional(type: TypeSpec, description: string, more: Partial<PropertySpec> = {}): Property {
  return { spec: { ...type, description, ...more }, required: false };
}

/** The schema's way to say it: specs by name, and the names of those that are required. */
export function specs(properties: Properties): {
  readonly properties: Readonly<Record<string, PropertySpec>>;
  readonly required: readonly string[];
} {
  const entries = Object.entries(properties);
  return {
    properties: Object.fromEntries(entries.map(([name, { spec }]) => [name, spec])),
    required: entries.filter(([, property]) => property.required).map(([name]) => name),
  };
}

/** An object type of the schema. */
export function objectType(description: string, properties: Properties): object {
  return { type: "object", description, ...specs(properties) };
}
