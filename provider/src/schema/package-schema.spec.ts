import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { deploymentFields } from "../resources/inputs/deployment-shapes";
import { connectionFields, workloadFields } from "../resources/inputs/manifest-shapes";
import { version } from "../version";
import { schemaText } from "./package-schema";

interface Schema {
  readonly version: string;
  readonly resources: Readonly<Record<string, { readonly inputProperties: Readonly<Record<string, unknown>> }>>;
  readonly types: Readonly<Record<string, { readonly properties: Readonly<Record<string, unknown>> }>>;
}

const schema: Schema = JSON.parse(schemaText());
const inputs = (name: string): readonly string[] =>
  Object.keys(schema.resources[`dcx:index:${name}`]?.inputProperties ?? {}).sort();

describe("the package schema", () => {
  it("is the one that is committed (npm run generate)", () => {
    const committed = resolve(__dirname, "..", "..", "cmd", "pulumi-resource-dcx", "schema.json");
    expect(readFileSync(committed, "utf8")).toBe(schemaText());
  });

  it("has the version of the package", () => {
    const manifest = JSON.parse(readFileSync(resolve(__dirname, "..", "..", "package.json"), "utf8"));
    expect(version).toBe(manifest.version);
    expect(schema.version).toBe(version);
  });

  it("offers exactly the inputs that the resources take", () => {
    const entry = ["deployment", "name", "skipAwait"];
    expect(inputs("Deployment")).toEqual(Object.keys(deploymentFields).sort());
    expect(inputs("Workload")).toEqual([...entry, "waitFor", ...Object.keys(workloadFields)].sort());
    expect(inputs("Connection")).toEqual([...entry, ...Object.keys(connectionFields)].sort());
  });

  it("has no type with the name of a resource: in some languages one would hide the other", () => {
    const resources = new Set(Object.keys(schema.resources).map((name) => name.toLowerCase()));
    expect(Object.keys(schema.types).filter((name) => resources.has(name.toLowerCase()))).toEqual([]);
  });

  it("refers to no type that it does not have", () => {
    const known = new Set(Object.keys(schema.types).map((name) => `#/types/${name}`));
    const named = [...schemaText().matchAll(/#\/types\/[^"]+/g)].map(([reference]) => reference);
    expect(named.filter((reference) => !known.has(reference))).toEqual([]);
  });
});
