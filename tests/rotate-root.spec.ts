import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ControlClient, NoAgent } from "@dcx/datacenter";
import { ask, askContinuously } from "./support/checks";
import { type Place, TwoDatacenters } from "./support/two-datacenters";
import { dcxCommand, eventually } from "./support/world";

jest.setTimeout(300_000);

describe("a datacenter's root", () => {
  let two: TwoDatacenters;
  beforeAll(async () => {
    two = await TwoDatacenters.start({ reconfirmationPeriod: 600n });
  });
  afterAll(() => two.close());

  const rootsOf = async (place: Place): Promise<string[]> => {
    const { datacenters } = await two.query.datacenters({ address: two.at(place).address });
    return datacenters.flatMap(({ roots }) => roots).map(({ certificate }) => Buffer.from(certificate).toString("hex"));
  };

  it("is replaced, of either end, while what is connected goes on", async () => {
    const { id, address } = await two.deploy();
    const asking = askContinuously(address);
    for (const place of ["east", "west"] as const) {
      const [before] = await rootsOf(place);
      const operator = new ControlClient(two.homeOf(place));
      const begun = await operator.rotateRoot({ overlap: 3_600_000 });
      expect(begun.rotation).toMatchObject({ phase: "announcing" });
      const seen = new Set<string>();
      await eventually("the old root is gone", 120_000, async () => {
        const { rotation } = await operator.status();
        if (rotation === undefined) return true;
        seen.add(rotation.phase);
        throw new Error(`${place}: ${rotation.phase}, ${rotation.standing} tunnels stand under the old root`);
      });
      expect([...seen]).toEqual(expect.arrayContaining(["settling", "renewed"]));
      const after = await rootsOf(place);
      expect(after).toHaveLength(1);
      expect(after).not.toContain(before);
    }
    await ask(address);
    const { asked, failures } = await asking.stop();
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    // Who asks the agents now finds them under their new roots.
    const answer = await two.query.deployment(id);
    for (const lease of answer.leases) {
      await using agent = await two.agentOf(lease);
      expect(await agent.manifests(id)).toMatchObject({ active: expect.any(String) });
    }
    await two.cancel(id);
  });

  it("is replaced at once where its key may be in wrong hands", async () => {
    const [before] = await rootsOf("east");
    const operator = new ControlClient(two.homeOf("east"));
    await operator.rotateRoot({ overlap: 0 });
    await eventually("the old root is gone", 120_000, async () => (await operator.status()).rotation === undefined);
    expect(await rootsOf("east")).not.toContain(before);
    expect(await rootsOf("east")).toHaveLength(1);
  });

  it("is replaced by an agent that is killed at each step of it", async () => {
    await two.at("east").close();
    const [before] = await rootsOf("east");
    const configuration = join(two.folder, "east-configuration.json");
    writeFileSync(configuration, JSON.stringify(two.configurationOf("east")));
    const operator = new ControlClient(two.homeOf("east"));
    const start = async () => {
      const agent = spawn(dcxCommand, ["datacenter", "start", "--config", configuration], { stdio: "ignore" });
      await eventually("the agent answers", 120_000, async () => {
        const status = await operator.status().catch((error: unknown) => {
          if (error instanceof NoAgent) return undefined;
          throw error;
        });
        return status !== undefined && status.height !== "0";
      });
      return agent;
    };
    let agent = await start();
    try {
      await operator.rotateRoot({ overlap: 3_600_000 });
      const killedAt: string[] = [];
      for (;;) {
        const { rotation } = await operator.status();
        if (rotation === undefined) break;
        if (!killedAt.includes(rotation.phase)) {
          killedAt.push(rotation.phase);
          const ended = once(agent, "exit");
          agent.kill("SIGKILL");
          await ended;
          agent = await start();
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(killedAt).toEqual(expect.arrayContaining(["settling", "renewed"]));
      expect(await rootsOf("east")).toHaveLength(1);
      expect(await rootsOf("east")).not.toContain(before);
    } finally {
      const ended = once(agent, "exit");
      agent.kill("SIGTERM");
      await ended;
    }
    await (await two.begin("east")).registered;
    expect(await rootsOf("east")).toHaveLength(1);
  });
});
