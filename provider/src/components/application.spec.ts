import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "../wire/value";
import { Application } from "./application";
import type { Child, ComponentRequest, RegisteredChild } from "./component";

const shop = `
variables: { tag: "1.0", databaseUrl: null }
infrastructures:
  west: { resources: [{ cpu: 250m, memory: 256Mi, disk: 1Gi, maxPrice: 0.40 }] }
workloads:
  api:
    infrastructure: west
    container: "ghcr.io/acme/api:\${tag}"
    ports: [9000]
    environment: { DATABASE_URL: "\${databaseUrl}" }
connections:
  public: { to: api, port: 9000, from: { global: true } }
`;
const arguments_: ValueMap = {
  infrastructures: { west: { resources: [{ cpu: 1, memory: "1Gi", disk: "1Gi", maxPrice: "1" }] } },
};
const urn = "urn:pulumi:dev::shop::dcx:index:Application$dcx:index:Deployment::shop";

interface Asked {
  readonly inputs: ValueMap;
  readonly dependencies?: ComponentRequest["dependencies"];
  readonly configuration?: Record<string, Value>;
  readonly preview?: boolean;
  readonly registered?: Partial<RegisteredChild>;
}

async function construct({ inputs, dependencies = {}, configuration = {}, preview = false, registered = {} }: Asked) {
  const children: Child[] = [];
  const read = async (path: string): Promise<string> => {
    if (!path.endsWith("/shop.yaml")) {
      throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    }
    return shop;
  };
  const result = await new Application({ version: "1.2.3", read }).construct(
    { name: "shop", inputs, dependencies, configuration, project: "shop", preview },
    {
      register: async (child) => {
        children.push(child);
        return { urn, id: "dcx-1/dcx1tenant/1", outputs: { version: "ab", leases: {} }, failed: false, ...registered };
      },
    },
  );
  const [child] = children;
  if (child === undefined || children.length !== 1) {
    throw new Error("one child is what it makes");
  }
  return { ...result, child };
}

const environment = ({ inputs }: Child): unknown =>
  (inputs["workloads"] as { api: { environment: Record<string, unknown> } }).api.environment["DATABASE_URL"];

describe("an application", () => {
  it("is one inline deployment of its own name, as its file says", async () => {
    const { child, outputs, dependencies } = await construct({
      inputs: { file: "shop.yaml", variables: { databaseUrl: "postgres://db" }, maxCostPerMonth: "500" },
    });
    expect(child).toMatchObject({ token: "dcx:index:Deployment", name: "shop" });
    expect(Object.keys(child.inputs).sort()).toEqual([
      "connections",
      "infrastructures",
      "maxCostPerMonth",
      "workloads",
    ]);
    expect(environment(child)).toBe("postgres://db");
    expect(outputs).toEqual({
      deployment: new ResourceReference(urn, "dcx-1/dcx1tenant/1", "1.2.3"),
      version: "ab",
      leases: {},
    });
    expect(dependencies).toEqual([urn]);
  });

  it("is the same from text, and from arguments", async () => {
    const fromText = await construct({ inputs: { text: shop, variables: { databaseUrl: "x" } } });
    const fromFile = await construct({ inputs: { file: "shop.yaml", variables: { databaseUrl: "x" } } });
    expect(fromText.child).toEqual(fromFile.child);
    const { child } = await construct({ inputs: arguments_ });
    // Inline also while nothing runs.
    expect(child.inputs).toEqual({ workloads: {}, ...arguments_ });
  });

  it("takes a variable from the project's configuration, secret where that is", async () => {
    const configuration = { "shop:databaseUrl": new Secret("postgres://db"), "dcx:tag": "9" };
    const { child } = await construct({ inputs: { file: "shop.yaml" }, configuration });
    const value = environment(child);
    expect(value).toBeInstanceOf(Secret);
    expect((value as Secret).reveal()).toBe("postgres://db");
    expect(child.inputs["workloads"]).toMatchObject({ api: { container: "ghcr.io/acme/api:1.0" } });
  });

  it("keeps secret all of a text and all variables that are given as secrets", async () => {
    const marked = (value: Value): boolean =>
      value instanceof Secret ||
      (typeof value === "object" && value !== null && Object.values(value).every((one) => marked(one as Value)));
    const whole = await construct({ inputs: { text: new Secret(shop), variables: { databaseUrl: "x" } } });
    expect(marked(whole.child.inputs["workloads"] ?? null)).toBe(true);
    const { child } = await construct({ inputs: { text: shop, variables: new Secret({ databaseUrl: "x" }) } });
    expect(environment(child)).toBeInstanceOf(Secret);
  });

  it("is unknown as far as what it is made of is", async () => {
    const { child } = await construct({ inputs: { text: Unknown.instance }, preview: true });
    expect(child.inputs).toEqual({
      infrastructures: Unknown.instance,
      workloads: Unknown.instance,
      connections: Unknown.instance,
    });
    const one = await construct({
      inputs: { text: shop, variables: { databaseUrl: Unknown.instance } },
      preview: true,
    });
    expect(environment(one.child)).toBe(Unknown.instance);
    expect(one.child.inputs["infrastructures"]).toBeDefined();
  });

  it("has outputs that are not known in a preview, and none that its deployment has not", async () => {
    const { outputs } = await construct({ inputs: arguments_, preview: true, registered: { id: "", outputs: {} } });
    expect(outputs["deployment"]).toEqual(new ResourceReference(urn, Unknown.instance, "1.2.3"));
    expect(outputs["addresses"]).toBe(Unknown.instance);
    const done = await construct({ inputs: arguments_, registered: { outputs: {} } });
    expect(Object.keys(done.outputs)).toEqual(["deployment"]);
  });

  it("leaves its outputs as they were where its deployment failed and others go on", async () => {
    const { outputs, unfinished } = await construct({ inputs: arguments_, registered: { failed: true } });
    expect(unfinished).toBe(true);
    expect(outputs["version"]).toBe(Unknown.instance);
  });

  it("depends with each property on what that comes from", async () => {
    const { child } = await construct({
      inputs: { text: shop, variables: { databaseUrl: "x" }, maxCostPerMonth: "9" },
      dependencies: { text: ["urn:a"], variables: ["urn:b", "urn:a"], maxCostPerMonth: ["urn:c"] },
    });
    expect(child.dependencies).toEqual({
      infrastructures: ["urn:a", "urn:b"],
      workloads: ["urn:a", "urn:b"],
      connections: ["urn:a", "urn:b"],
      maxCostPerMonth: ["urn:c"],
    });
  });

  it.each<[string, ValueMap, RegExp]>([
    ["nothing", {}, /needs `file`, `text` or `infrastructures`/],
    ["a file that is not there", { file: "other.yaml" }, /other\.yaml is not there/],
    ["both a file and text", { file: "shop.yaml", text: shop }, /give one of them/],
    ["what the file says a second time", { file: "shop.yaml", workloads: {} }, /workloads: said by the file/],
    ["variables without a file", { ...arguments_, variables: {} }, /variables: are those of a file/],
    ["what it does not know", { ...arguments_, replicas: 3 }, /replicas: no property of an application/],
    ["a variable without a value", { file: "shop.yaml" }, /shop\.yaml:2:26: variables\.databaseUrl: has no default/],
    [
      "a mistake in its file, with its place",
      { text: shop.replace("[9000]", "[90000]") },
      /text:9:13: workloads\.api\.ports\[0\]: must be a whole number/,
    ],
  ])("refuses %s", async (_what, inputs, message) => {
    const variables = String(inputs["text"] ?? "").includes("90000") ? { variables: { databaseUrl: "x" } } : {};
    await expect(construct({ inputs: { ...inputs, ...variables } })).rejects.toThrow(message);
  });

  it("quotes no secret", async () => {
    const inputs = { text: new Secret(shop.replace("[9000]", "[hunter2]")), variables: { databaseUrl: "x" } };
    const error: unknown = await construct({ inputs }).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/only the places of what is wrong are told:\n {2}text:9:13$/);
    expect(String(error)).not.toContain("hunter2");
  });
});
