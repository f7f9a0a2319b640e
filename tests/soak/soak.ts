import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allTokens, DeploymentState, LeaseState } from "@dcx/protocol";
import { containers } from "../support/checks";
import type { Stack } from "../support/stack";
import { eventually, World } from "../support/world";
import { type Moment, type Phase, phases } from "./moments";
import { entries, tenResources } from "./program";

/** Milliseconds from the start of an operation to each answer of the plugin, and to its end. */
type Course = readonly number[];

/**
 * One stack on one network that is killed at moments, again and again. After each, `pulumi cancel` where the stack is
 * locked and one more `up` must bring everything in order (issue: "What must be seen").
 */
export class Soak {
  readonly #courses = new Map<Phase, Course>();
  #version = 0;
  #standing = false;

  private constructor(
    readonly world: World,
    readonly stack: Stack,
    readonly folder: string,
    readonly log: (line: string) => void,
  ) {}

  /** With a stack that has been through a life of its own, so that it is known how long each operation takes. */
  static async start(log: (line: string) => void): Promise<Soak> {
    const folder = mkdtempSync(join(tmpdir(), "dcx-soak-"));
    const world = World.create({ blockInterval: 200, environment: { DCX_TRACE: join(folder, "trace") } });
    await world.startNetwork();
    const stack = await world.stack("soak", tenResources(0));
    const soak = new Soak(world, stack, folder, log);
    for (const phase of phases) {
      const began = Date.now();
      rmSync(soak.#trace, { force: true });
      await soak.#run(phase);
      soak.#courses.set(phase, [...soak.#answers(began), Date.now() - began]);
      log(`${phase}, not killed: ${Date.now() - began} ms, ${soak.#answers(began).length} requests`);
    }
    return soak;
  }

  /** Kills at that moment. Throws where one more `up` does not bring everything in order. */
  async survive(moment: Moment): Promise<void> {
    await this.#prepare(moment.phase);
    rmSync(this.#trace, { force: true });
    let ended = false;
    const operation = this.#run(moment.phase)
      .then(
        () => "ended before it was killed",
        () => "was killed",
      )
      .finally(() => {
        ended = true;
      });
    await this.#reach(moment, () => ended);
    this.#kill(moment);
    this.log(`  the ${moment.phase} ${await operation}`);
    // Fails where nothing is locked: an engine that lives has given the lock back.
    await this.stack.cancel().catch(() => undefined);
    await this.stack.up();
    this.#standing = true;
    await this.#expectOrder();
  }

  async close(): Promise<void> {
    try {
      await this.stack.destroy();
      const totals = await (await this.world.client()).totals();
      strictEqual(totals.activeDeployments, 0n);
      strictEqual(totals.deposits + totals.collateral, 0n);
    } finally {
      await this.world.close();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  get #trace(): string {
    return join(this.folder, "trace");
  }

  async #run(phase: Phase): Promise<void> {
    if (phase === "delete") {
      this.#standing = false;
      await this.stack.destroy();
      return;
    }
    if (phase === "update") {
      this.#version += 1;
      this.stack.write(tenResources(this.#version));
    }
    await this.stack.up(phase === "replace" ? { replace: await this.#urns(["shop", "w1", "c1"]) } : {});
    this.#standing = true;
  }

  async #prepare(phase: Phase): Promise<void> {
    if (phase === "create" && this.#standing) {
      await this.#run("delete");
    } else if (phase !== "create" && !this.#standing) {
      await this.#run("create");
    }
  }

  /** Waits until the plugin has answered as many requests as the moment says, and a part of the way to the next. */
  async #reach({ phase, progress }: Moment, ended: () => boolean): Promise<void> {
    const course = this.#courses.get(phase) ?? [];
    const place = progress * course.length;
    const answered = Math.floor(place);
    const began = Date.now();
    // It may take another course than when it was measured, and end before.
    await eventually("that request", 120_000, async () => ended() || this.#answers(0).length >= answered);
    const gap = (course[answered] ?? 0) - (course[answered - 1] ?? 0);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, gap * (place - answered))));
    this.log(`  after ${answered} of ${course.length - 1} requests, ${Date.now() - began} ms`);
  }

  /** When the plugin has answered what, in milliseconds from then. */
  #answers(began: number): readonly number[] {
    if (!existsSync(this.#trace)) {
      return [];
    }
    const lines = readFileSync(this.#trace, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => (JSON.parse(line) as { end: number }).end - began).sort((a, b) => a - b);
  }

  /** What of it runs at that moment: the engine may not have started its plugin yet, or be gone already. */
  #kill({ victim }: Moment): void {
    const engine = /(^|\/)pulumi(-language-yaml)? /;
    const plugin = /dist\/bundle\/provider/;
    for (const { pid, command } of this.world.processes()) {
      if ((victim !== "plugin" && engine.test(command)) || (victim !== "engine" && plugin.test(command))) {
        try {
          this.world.kill(pid);
        } catch (error) {
          // It may have ended by itself since it was listed.
          if (this.world.processes().some((one) => one.pid === pid)) throw error;
        }
      }
    }
  }

  /** One deployment, state equals chain, an empty preview, tokens that add up, and nothing else that runs. */
  async #expectOrder(): Promise<void> {
    const beside = readdirSync(join(this.world.home, "backend"), { recursive: true, encoding: "utf8" });
    const unsound = beside.filter((file) => file.endsWith(".attrs"));
    ok(
      unsound.length === 0,
      `a kill while the engine writes these leaves a stack that none can load: ${unsound.join(", ")}`,
    );
    const { steps, diagnostics } = await this.stack.preview();
    ok(steps.length === 0, `the preview shows ${JSON.stringify(steps)}\n${diagnostics}`);
    const client = await this.world.client();
    const { deployments } = await client.deployments({ state: DeploymentState.ACTIVE });
    strictEqual(deployments.length, 1, `${deployments.length} deployments are active`);
    const [deployment] = deployments;
    strictEqual(deployment?.manifestEntries, entries.length);

    const resources = (await this.stack.state()).filter(({ type }) => type.startsWith("dcx:"));
    const names = resources.map(({ urn }) => urn.split("::").at(-1) ?? "").sort();
    deepStrictEqual(names, ["shop", ...entries].sort());
    deepStrictEqual(
      resources.filter(({ failed, deleted }) => failed || deleted),
      [],
    );
    const shop = resources.find(({ urn }) => urn.endsWith("::shop"));
    strictEqual(shop?.id, `${client.chainId}/${deployment?.id?.tenant}/${deployment?.id?.sequence}`);
    ok(BigInt(String(shop?.outputs["incarnation"])) <= (deployment?.incarnation ?? 0n));

    const { leases } = await client.leases({ state: LeaseState.ACTIVE });
    const kept = Object.entries(shop?.outputs["leases"] as Record<string, { datacenter: string; state: string }>);
    deepStrictEqual(
      kept.map(([name, { datacenter, state: now }]) => [name, datacenter, now]).sort(),
      leases.map(({ id, datacenter }) => [id?.infrastructure, datacenter, "active"]).sort(),
    );
    const totals = await client.totals();
    strictEqual(allTokens(totals) + totals.burnt, totals.genesisSupply + totals.interestMinted);
    deepStrictEqual(Object.keys(await containers(this.world)).sort(), ["w1/0", "w2/0", "w3/0", "w4/0"]);
  }

  async #urns(names: readonly string[]): Promise<string[]> {
    return (await this.stack.resources())
      .map(({ urn }) => urn)
      .filter((urn) => names.includes(urn.split("::").at(-1) ?? ""));
  }
}
