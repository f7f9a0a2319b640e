import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { parallelisms, twoRegions } from "../testing/model-world";
import { capacity, deployment, inline, type Program, separate, workload } from "../testing/program";
import { Stack } from "../testing/stack";
import { encode } from "../wire/codec";
import { Secret, type ValueMap } from "../wire/value";

const planted = "planted-in-the-program";
const secretive: ValueMap = {
  infrastructure: "west",
  container: { image: "web:1", credentials: { username: "me", password: new Secret(planted) } },
  environment: { KEY: new Secret(planted), PUBLIC: "seen" },
};

const programs: Readonly<Record<string, (fields: ValueMap) => Program>> = {
  inline: (fields) => ({ shop: deployment({ ...capacity(4), workloads: { w1: fields }, connections: {} }) }),
  separate: (fields) => ({ shop: deployment(capacity(4)), w1: workload("shop", fields) }),
};

/** Whether a text stands anywhere outside of a secret, as the engine would write it to disk. */
function leaks(values: ValueMap): boolean {
  const walk = (value: unknown): boolean =>
    typeof value === "string"
      ? value.includes(planted)
      : typeof value === "object" &&
        value !== null &&
        (value as Record<string, unknown>)["4dabf18193072939515e22adb298388d"] !== "1b47061264138c4ac30d75fd1eb44270" &&
        Object.values(value).some(walk);
  return walk(Struct.deserializeBinary(encode(values).serializeBinary()).toJavaScript());
}

describe.each(parallelisms)("secrets at parallelism %d", (parallel) => {
  it.each(Object.entries(programs))("stay secret in state, messages and errors: %s", async (_form, form) => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel, settings: { timeout: 2 } });
    const said: string[] = [];
    const failed: string[] = [];
    const look = async (
      operation: Promise<{ readonly said: string; readonly failures: Readonly<Record<string, string>> }>,
    ) => {
      const outcome = await operation;
      said.push(outcome.said);
      failed.push(...Object.values(outcome.failures));
      for (const { inputs, outputs } of stack.kept.values()) {
        expect(leaks(inputs) || leaks(outputs)).toBe(false);
      }
    };
    const program = form(secretive);
    await look(stack.preview(program));
    await look(stack.up(program));
    expect(failed).toEqual([]);
    expect(JSON.stringify([...stack.kept.values()])).toContain("[secret]");
    await look(stack.refresh());
    await look(stack.preview(form({ ...secretive, environment: { KEY: new Secret(`${planted}-2`) } })));

    // And where things go wrong: refused inputs, instances that fail, holders that are away, transactions that are refused.
    await look(stack.preview(form({ ...secretive, environment: { "no name": new Secret(planted) } })));
    await look(stack.preview(form({ ...secretive, container: new Secret(`Not ${planted}`) })));
    await look(stack.preview(form({ ...secretive, count: new Secret(planted), ports: new Secret([planted]) })));
    for (const holder of network.holders.values()) {
      holder.broken = "exit code 1";
    }
    await look(stack.up(form({ ...secretive, arguments: [new Secret(planted)] })));
    for (const holder of network.holders.values()) {
      holder.broken = undefined;
      holder.up = false;
    }
    await look(stack.up(form({ ...secretive, command: [new Secret(planted)] })));
    await look(stack.refresh());
    for (const holder of network.holders.values()) {
      holder.up = true;
    }
    network.beforeExecution = () => {
      throw new Error("the transaction was refused");
    };
    await look(stack.up(form({ ...secretive, environment: { KEY: new Secret(`${planted}-3`) } })));
    expect(failed.length).toBeGreaterThanOrEqual(6);
    expect(failed.filter((text) => text.includes(planted))).toEqual([]);
    expect(said.filter((text) => text.includes(planted))).toEqual([]);
  });

  it("say nothing of themselves on the chain: no transaction holds more than the manifest's hash", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    await stack.up(programs["separate"]?.(secretive) ?? inline({ workloads: 1, connections: 0 }));
    await stack.up(separate({ workloads: 2, connections: 2 }));
    const sent = JSON.stringify(network.transactions, (_key, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
    expect(sent).toMatch(/"version":"[0-9a-f]{64}"/);
    expect(sent).not.toContain(planted);
    expect(sent).not.toContain("web:1");
  });
});
