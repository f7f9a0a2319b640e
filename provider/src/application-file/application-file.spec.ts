import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import Ajv from "ajv";
import { Secret, Unknown, type ValueMap } from "../wire/value";
import { ApplicationFileError, type ApplicationFileIssue, parseApplicationFile } from "./application-file";
import { applicationFileSchema, applicationFileSchemaText } from "./editor-schema";

const shop = `
# the two-tier shop
variables:
  tag: "1.4"
  apiCount: 2
  databaseUrl: null
infrastructures:
  west: &place
    region: us-west
    resources: [{ cpu: 250m, memory: 256Mi, disk: 1Gi, count: "\${apiCount}", maxPrice: 0.40 }]
  east:
    <<: *place
    region: us-east
workloads:
  api:
    infrastructure: west
    container: ghcr.io/acme/api:\${tag}
    count: \${apiCount}
    ports: [9000]
    environment: { DATABASE_URL: "\${databaseUrl}", PROMPT: "$\${HOME}", RETRIES: 3, QUIET: true }
connections:
  public: { to: api, port: 9000, from: { global: true } }
waitDuration: 10s
`;

function read(text: string, variables?: ValueMap): ReturnType<typeof parseApplicationFile> {
  return parseApplicationFile(text, { file: "shop.yaml", ...(variables === undefined ? {} : { variables }) });
}

function issuesOf(text: string, variables?: ValueMap): readonly ApplicationFileIssue[] {
  try {
    read(text, variables);
  } catch (error) {
    if (error instanceof ApplicationFileError) {
      return error.issues;
    }
    throw error;
  }
  throw new Error("it was read");
}

describe("an application file", () => {
  it("is what an inline Deployment takes, with its variables filled in", () => {
    const { inputs, normal } = read(shop, { databaseUrl: "postgres://db" });
    expect(inputs["waitDuration"]).toBe("10s");
    expect(inputs["workloads"]).toEqual({
      api: {
        infrastructure: "west",
        container: "ghcr.io/acme/api:1.4",
        count: 2,
        ports: [9000],
        environment: { DATABASE_URL: "postgres://db", PROMPT: "${HOME}", RETRIES: 3, QUIET: true },
      },
    });
    expect(normal["infrastructures"]).toMatchObject({
      east: { region: "us-east", resources: [{ cpu: "250m", count: 2, maxPrice: "0.4/h" }] },
    });
    expect(Object.keys(inputs).sort()).toEqual(["connections", "infrastructures", "waitDuration", "workloads"]);
  });

  it("may be JSON", () => {
    const plain = shop.replace("$${HOME}", "$");
    const { inputs } = read(plain, { databaseUrl: "x" });
    expect(read(JSON.stringify(inputs)).inputs).toEqual(inputs);
  });

  it("keeps secrets secret and unknowns unknown, also within a longer text", () => {
    const text = shop.replace('"${databaseUrl}"', '"postgres://${databaseUrl}"');
    const secret = read(text, { databaseUrl: new Secret("db") }).inputs["workloads"] as {
      api: { environment: { DATABASE_URL: Secret } };
    };
    expect(secret.api.environment.DATABASE_URL).toBeInstanceOf(Secret);
    expect(secret.api.environment.DATABASE_URL.reveal()).toBe("postgres://db");
    const unknown = read(text, { databaseUrl: Unknown.instance }).inputs;
    expect(unknown["workloads"]).toMatchObject({ api: { environment: { DATABASE_URL: Unknown.instance } } });
  });

  it.each<[string, string, string, ApplicationFileIssue]>([
    [
      "a value of the wrong kind, at its place",
      "ports: [9000]",
      "ports: [90000]",
      {
        path: "workloads.api.ports[0]",
        message: "workloads.api.ports[0]: must be a whole number from 1 to 65535, not 90000",
        line: 19,
        column: 13,
      },
    ],
    [
      "a property that there is not",
      "waitDuration: 10s",
      "waitduration: 10s",
      {
        path: "waitduration",
        message: expect.stringMatching(/is not a property here; there are variables, infrastructures/),
        line: 23,
        column: 1,
      },
    ],
    [
      "a variable that is not declared",
      "${tag}",
      "${version}",
      {
        path: "workloads.api.container",
        message: expect.stringMatching(/there is no variable "version"; declared are: tag, apiCount, databaseUrl/),
        line: 17,
        column: 5,
      },
    ],
    [
      "a workload that fits no slot",
      'count: "${apiCount}"',
      "count: 1",
      {
        path: "workloads.api",
        message: expect.stringMatching(/fits no slot|needs|slots/),
        line: 15,
        column: 3,
      },
    ],
    [
      "a connection to nothing",
      "to: api",
      "to: nothing",
      { path: "connections.public.to", message: expect.stringMatching(/nothing/), line: 22, column: 13 },
    ],
    [
      "broken YAML",
      "waitDuration: 10s",
      "waitDuration: [",
      { path: "", message: expect.any(String), line: expect.any(Number), column: expect.any(Number) },
    ],
    [
      "a number that would lose digits",
      "disk: 1Gi",
      "disk: 9007199254740993",
      {
        path: "infrastructures.west.resources[0].disk",
        message: expect.stringMatching(/write it in quotes/),
        line: 10,
        column: 45,
      },
    ],
  ])("refuses %s", (_what, from, to, issue) => {
    expect(issuesOf(shop.replace(from, to), { databaseUrl: "x" })).toEqual([issue]);
  });

  it("says all that is wrong at once, and never a secret", () => {
    const text = `
infrastructures:
  west: { resources: [{ cpu: none, memory: 1Gi, disk: 1Gi, maxPrice: 1, colour: red }] }
workloads:
  api: { infrastructure: west, container: "\${image}" }
variables: { image: null }
`;
    const issues = issuesOf(text, { image: new Secret("HUNTER2 HUNTER2") });
    expect(issues.map(({ path }) => path)).toEqual([
      "infrastructures.west.resources[0].colour",
      "infrastructures.west.resources[0].cpu",
      "workloads.api.container",
    ]);
    expect(JSON.stringify(issues)).not.toContain("HUNTER2");
  });

  it("needs the variables that have no default, and takes none that it does not declare", () => {
    expect(issuesOf(shop).map(({ message }) => message)).toEqual([
      "variables.databaseUrl: has no default and was given no value",
    ]);
    expect(issuesOf(shop, { databaseUrl: "x", color: "red" }).map(({ message }) => message)).toEqual([
      "variables: does not declare color, which was given a value",
    ]);
  });

  it("takes from the configuration what it was given no value for, rather than its default", () => {
    const configured = (name: string) => ({ tag: "1.5", databaseUrl: new Secret("db"), other: "x" })[name];
    const { inputs } = parseApplicationFile(shop, { file: "shop.yaml", variables: { tag: "1.6" }, configured });
    expect(inputs["workloads"]).toMatchObject({ api: { container: "ghcr.io/acme/api:1.6", count: 2 } });
    expect(inputs["workloads"]).toMatchObject({ api: { environment: { DATABASE_URL: expect.any(Secret) } } });
  });

  it("does not follow aliases without end", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (const [name, inner] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg"].map(([name, inner]) => [name, inner])) {
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${inner}`).join(", ")}]`);
    }
    expect(issuesOf(bomb.join("\n"))[0]?.message).toMatch(/alias/i);
  });
});

describe("the schema for editors", () => {
  const validate = new Ajv({ allowUnionTypes: true }).compile(applicationFileSchema());

  it("is the one that is committed (npm run generate)", () => {
    const committed = resolve(__dirname, "..", "..", "cmd", "pulumi-resource-dcx", "application.schema.json");
    expect(readFileSync(committed, "utf8")).toBe(applicationFileSchemaText());
  });

  it("takes what the parser takes, and tells mistakes", () => {
    const { inputs } = read(shop, { databaseUrl: "x" });
    expect(validate({ $schema: "x", variables: { a: 1, b: null }, ...inputs })).toBe(true);
    expect(validate({ ...inputs, waitduration: 1 })).toBe(false);
    const counted = { infrastructure: "west", container: "a:1", count: "${count}" };
    expect(validate({ ...inputs, workloads: { api: counted } })).toBe(true);
    expect(validate({ ...inputs, workloads: { api: { ...counted, count: "two" } } })).toBe(false);
    expect(validate({ ...inputs, workloads: { api: { container: "a:1" } } })).toBe(false);
  });
});
