import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../support/root";
import type { Chain } from "../chains/chain";
import { startExchangeNode } from "../chains/exchange-node";
import type { Cleanups } from "../cleanups";
import { outputOf } from "../processes";
import { buildNullPlugin } from "./null-plugin";
import { BenchStack, findEngine } from "./stack";

/** Milliseconds between blocks: short, for what is measured here waits for none. */
const interval = 100;
const tenant = "tenant";

/** Which plugin a stack runs on: that of the repository, the one that is released, or the one that does nothing. */
export type Plugin = "dcx" | "packaged" | "nothing";

/** An engine, an exchange without datacenters, and any number of stacks on it. */
export class EngineWorld {
  private stacks = 0;

  private constructor(
    /** Of its own; goes at the end. */
    readonly folder: string,
    private readonly engine: string,
    private readonly folders: Readonly<Record<Exclude<Plugin, "packaged">, string>>,
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
      const folders = { dcx: join(root, "provider", "bin"), nothing: nullPlugin };
      return new EngineWorld(folder, engine, folders, exchange, async () => {
        await stopNode();
        await removeFolder();
      });
    } catch (error) {
      await removeFolder();
      throw error;
    }
  }

  /** An empty stack. */
  async stack(plugin: Plugin, resources: number): Promise<BenchStack> {
    this.stacks += 1;
    const name = `bench-${this.stacks}`;
    const [account] = this.exchange.accounts;
    const folder = join(this.folder, name);
    mkdirSync(folder);
    return BenchStack.create({
      engine: this.engine,
      folder,
      name,
      plugin: plugin === "packaged" ? await this.packaged() : this.folders[plugin],
      resources,
      environment: {
        DCX_ENDPOINTS: this.exchange.rpcUrl,
        DCX_PRIVATE_KEY: account?.privateKey ?? "",
        DCX_NAMESPACE: name,
      },
    });
  }

  /** Packs the plugin as it is released, and unpacks it. */
  private async packaged(): Promise<string> {
    const folder = join(this.folder, "packaged");
    if (!existsSync(folder)) {
      const archives = await outputOf(process.execPath, [join(root, "tools", "package.cjs")]);
      const archive = archives.split("\n").find((line) => line.includes("pulumi-resource-dcx"));
      if (archive === undefined) {
        throw new Error(`tools/package.cjs made no archive of the plugin, but: ${archives}`);
      }
      mkdirSync(folder);
      await outputOf("tar", ["-xzf", join(root, archive.trim()), "-C", folder]);
    }
    return folder;
  }
}
