import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../support/root";
import type { Chain } from "../chains/chain";
import { startExchangeNode } from "../chains/exchange-node";
import type { Cleanups } from "../cleanups";
import { buildNullPlugin } from "./null-plugin";
import { BenchStack, findEngine } from "./stack";

/** Milliseconds between blocks: short, for what is measured here waits for none. */
const interval = 100;
const tenant = "tenant";

/** Which of the two plugins a stack runs on. */
export type Plugin = "dcx" | "nothing";

/** An engine, an exchange without datacenters, and any number of stacks on it. */
export class EngineWorld {
  private stacks = 0;

  private constructor(
    /** Of its own; goes at the end. */
    readonly folder: string,
    private readonly engine: string,
    private readonly nullPlugin: string,
    readonly exchange: Chain,
    /** Stops the node and removes the folder. */
    readonly close: () => Promise<void>,
  ) {}

  static async start(cleanups: Cleanups): Promise<EngineWorld> {
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-engine-"));
    const removeFolder = cleanups.add(() => rmSync(folder, { recursive: true, force: true }));
    try {
      const engine = await findEngine();
      const nullPlugin = await buildNullPlugin();
      const exchange = await startExchangeNode(join(folder, "exchange"), interval, [tenant]);
      const stopNode = cleanups.add(() => exchange.node.stop());
      return new EngineWorld(folder, engine, nullPlugin, exchange, async () => {
        await stopNode();
        await removeFolder();
      });
    } catch (error) {
      await removeFolder();
      throw error;
    }
  }

  /** An empty stack. */
  stack(plugin: Plugin, resources: number): Promise<BenchStack> {
    this.stacks += 1;
    const name = `bench-${this.stacks}`;
    const [account] = this.exchange.accounts;
    const folder = join(this.folder, name);
    mkdirSync(folder);
    return BenchStack.create({
      engine: this.engine,
      folder,
      name,
      plugin: plugin === "dcx" ? join(root, "provider", "bin") : this.nullPlugin,
      resources,
      environment: {
        DCX_ENDPOINTS: this.exchange.rpcUrl,
        DCX_PRIVATE_KEY: account?.privateKey ?? "",
        DCX_NAMESPACE: name,
      },
    });
  }
}
