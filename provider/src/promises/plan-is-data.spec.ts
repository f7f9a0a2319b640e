import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkDriver, Transaction } from "../network/driver";
import { planUpdate } from "../plan/plan-deployment";
import { kinds, parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import { inline, separate } from "../testing/program";
import { Stack } from "../testing/stack";

const shape = { workloads: 4, connections: 4 };

it("every transaction is sent from one place, which runs plans", () => {
  const source = join(__dirname, "..");
  const senders = globSync("**/*.ts", { cwd: source }).filter(
    (file) =>
      !/\.spec\.ts$|^testing\/|^network\//.test(file) && /\.submit\(/.test(readFileSync(join(source, file), "utf8")),
  );
  expect(senders).toEqual(["resources/deployment/apply.ts"]);
});

it("a plan is a pure function: the same for the same states, which it leaves as they are", async () => {
  const network = twoRegions();
  await new Stack(network).up(inline(shape));
  const { tenant, sequence } = theDeployment(network);
  const { deployment, ...rest } = await network.snapshot({ tenant, sequence });
  if (deployment === undefined) {
    throw new Error("It was created.");
  }
  const terms = Object.entries(deployment.infrastructures).map(([name, one]) => [name, one.terms] as const);
  const desired = {
    infrastructures: Object.fromEntries(terms.slice(1)),
    waitDuration: 7n,
    managers: undefined,
    manifest: undefined,
  };
  const snapshot = frozen({ ...rest, deployment });
  const plan = planUpdate(frozen(desired), snapshot);
  expect(plan).toEqual(planUpdate(desired, snapshot));
  expect(plan.steps.filter(({ kind }) => kind === "transaction")).toHaveLength(1);
});

describe.each(parallelisms)("at parallelism %d", (parallel) => {
  it.each([
    ["inline", inline],
    ["separate", separate],
  ])("a preview shows the transactions of the plan and sends nothing: %s", async (_form, form) => {
    const network = twoRegions();
    const touched: string[] = [];
    const watched: NetworkDriver = new Proxy(network, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== "function") {
          return member;
        }
        if (["submit", "handManifest", "ensure"].includes(String(property))) {
          touched.push(String(property));
        }
        return member.bind(target);
      },
    });
    const stack = new Stack(watched, { parallel });
    const first = await stack.preview(form(shape));
    expect(first.said).toMatch(/1 transaction: SubmitDeployment/);
    expect(touched).toEqual([]);
    await stack.up(form(shape));
    touched.length = 0;
    const sent = network.transactions.length;

    const changed = form({ ...shape, image: "web:2" });
    const preview = await stack.preview(changed);
    expect(preview.said).toMatch(/UpdateDeployment/);
    expect(touched).toEqual([]);
    const up = await stack.up(changed);
    const shown = (steps: typeof up.steps): readonly string[] =>
      steps.map(({ name, operation, diffs }) => `${operation} ${name} ${Object.keys(diffs).join()}`).sort();
    expect(shown(preview.steps)).toEqual(shown(up.steps));
    const after: readonly Transaction["kind"][] = network.transactions.slice(sent).map(({ kind }) => kind);
    expect(new Set(after)).toEqual(new Set(["update-deployment"]));
    if (form === inline) {
      expect(after).toHaveLength(1);
    }

    touched.length = 0;
    expect((await stack.preview(changed)).steps).toEqual([]);
    expect((await stack.up(changed)).steps).toEqual([]);
    expect(touched).toEqual([]);
    await stack.destroy();
    expect(kinds(network).at(-1)).toBe("cancel-deployment");
  });
});

/** The same, and whoever writes to any part of it throws. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}
