import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  type CallContext,
  type CheckResult,
  type CreateRequest,
  type CreateResult,
  type DiffRequest,
  type DiffResult,
  PartialFailure,
  type ReadRequest,
  type ReadResult,
  type Resource,
  type UpdateRequest,
} from "../../provider/src/resources/resource";
import { schemaText } from "../../provider/src/schema/package-schema";
import { runPlugin } from "../../provider/src/server/process";
import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "../../provider/src/wire/value";

/**
 * A plugin with the real border and resources that only keep a file: what `tests/provider-plumbing.spec.ts` runs the
 * engine against. Folder of the files: PLUMBING_HOME. What an operation does is told by files there:
 * `fail-once-<name>`: the create ends as a partial failure; `hang-<name>`: it waits until it is cancelled;
 * `crash-<name>`: something fails that nobody waits for. An import finds a workload with a secret.
 */
const home = process.env["PLUMBING_HOME"] ?? "";

class Kept implements Resource {
  constructor(readonly token: string) {}

  async check(request: { readonly inputs: ValueMap; readonly name: string }): Promise<CheckResult> {
    const { deployment } = request.inputs;
    if (deployment === undefined) {
      return { inputs: request.inputs, failures: [] };
    }
    // Which form the program's `deployment` came in is what a test asks.
    appendFileSync(
      join(home, "deployments"),
      `${deployment instanceof ResourceReference ? "reference" : typeof deployment}\n`,
    );
    const id = deployment instanceof ResourceReference ? deployment.id : deployment;
    return { inputs: { name: request.name, ...request.inputs, deployment: id }, failures: refusals(request.inputs) };
  }

  async diff({ inputs, oldState }: DiffRequest): Promise<DiffResult> {
    const changed = Object.keys(inputs).filter((key) => text(inputs[key]) !== text(oldState[key]));
    return {
      detailed: Object.fromEntries(
        changed.map((key) => [
          key,
          { kind: key === "name" ? ("update-replace" as const) : ("update" as const), inputDiff: true },
        ]),
      ),
      deleteBeforeReplace: true,
      stables: ["deployment"],
    };
  }

  async create({ inputs, preview }: CreateRequest, context: CallContext): Promise<CreateResult> {
    if (preview) {
      return {
        id: "",
        state: { ...inputs, digest: Unknown.instance, state: Unknown.instance, deploymentId: Unknown.instance },
      };
    }
    const id = context.urn.split("::").at(-1) ?? "";
    writeFileSync(join(home, `object-${id}`), text(inputs));
    if (existsSync(join(home, `hang-${id}`))) {
      context.status("waiting for ever");
      writeFileSync(join(home, `hanging-${id}`), String(process.pid));
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
      throw new PartialFailure(id, this.#state(id, inputs), ["cancelled while waiting"]);
    }
    if (existsSync(join(home, `crash-${id}`))) {
      setImmediate(() => {
        throw new TypeError("nobody catches this");
      });
      await new Promise(() => {});
    }
    if (existsSync(join(home, `fail-once-${id}`))) {
      throw new PartialFailure(id, this.#state(id, inputs), ["no lease for infrastructure main", "nobody has bid"]);
    }
    return { id, state: this.#state(id, inputs) };
  }

  async read({ id, inputs, state }: ReadRequest): Promise<ReadResult> {
    if (!existsSync(join(home, `object-${id}`))) {
      return undefined;
    }
    const found = { deployment: "shop", name: id, infrastructure: "main", container: "x:1" };
    const secret = { ...found, environment: { KEY: new Secret("planted in an import") } };
    return { id, inputs: inputs ?? secret, state: state ?? this.#state(id, secret) };
  }

  async update({ id, inputs }: UpdateRequest, context: CallContext): Promise<{ readonly state: ValueMap }> {
    context.log("info", `resuming ${id}`);
    writeFileSync(join(home, `object-${id}`), text(inputs));
    return { state: this.#state(id, inputs) };
  }

  async delete({ id }: { readonly id: string }): Promise<void> {
    const { rmSync } = await import("node:fs");
    rmSync(join(home, `object-${id}`), { force: true });
  }

  #state(id: string, inputs: ValueMap): ValueMap {
    return { ...inputs, deploymentId: `plumbing/x/${id}`, leases: {}, incarnation: "1", digest: "d", state: "running" };
  }
}

function refusals(inputs: ValueMap): CheckResult["failures"] {
  return inputs["container"] === "refuse" ? [{ property: "environment", reason: "is refused" }] : [];
}

function text(value: Value | undefined): string {
  return JSON.stringify(value ?? null, (_, inner: unknown) => inner) + (value instanceof Secret ? "secret" : "");
}

const listener = createServer(() => {});
listener.listen(0, "127.0.0.1", () => {
  const bound = listener.address();
  const types = ["Deployment", "Workload", "Connection"].map((name) => new Kept(`dcx:index:${name}`));
  runPlugin(listener, [], process.argv.slice(2), {
    version: JSON.parse(readFileSync(join(home, "package.json"), "utf8")).version,
    environment: process.env,
    load: async () => ({ resources: new Map(types.map((type) => [type.token, type])), functions: new Map() }),
    components: async () => new Map(),
    schema: async () => schemaText(),
  });
  console.log("a stray line");
  process.stdout.write(`${typeof bound === "object" && bound !== null ? bound.port : ""}\n`);
});
