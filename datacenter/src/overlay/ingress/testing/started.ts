import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IngressNames } from "../../overlay";
import { echo, IngressWorld, type IngressWorldOptions, until } from "./world";

// Ingresses for specs; whatever a test has started ends with it.

export const folder = mkdtempSync(join(tmpdir(), "dcx-ingress-"));
const worlds: IngressWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Settings = Partial<IngressNames> & Pick<IngressWorldOptions, "limits" | "rawPorts">;

export async function start(
  { limits, rawPorts, ...names }: Settings = {},
  home = mkdtempSync(join(folder, "home-")),
): Promise<IngressWorld> {
  const world = await IngressWorld.start({ home, names, limits, rawPorts });
  worlds.push(world);
  return world;
}

/** One whose global connection leads to what says everything back. */
export async function serving(settings: Settings = {}): Promise<{ world: IngressWorld; host: string }> {
  const world = await start(settings);
  await world.serve("web-0", echo);
  world.apply({});
  await until(() => world.status().established);
  return { world, host: world.url().hostname };
}
