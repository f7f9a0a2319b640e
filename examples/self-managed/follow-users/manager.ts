import { normalizeConnection, normalizeWorkload } from "@dcx/protocol";
import { z } from "zod";
import type { Change, ManagedDeployment, Now } from "../manage";
import { start } from "../workload";
import { decide, type Window } from "./decide";

/** A management tier that puts a site where clients are, and gives it back when they are gone. */

const Settings = z.object({
  regions: z.array(z.string()),
  share: z.number(),
  /** How long a window is, and how many count. */
  windowSeconds: z.number(),
  windows: z.number().int(),
  container: z.string(),
  maxPrice: z.string(),
});
type Settings = z.infer<typeof Settings>;

/** What a site reports: requests since its last report, by region of the client. */
const Report = z.record(z.string(), z.number().int().nonnegative());

const prefix = "site-";

async function main(): Promise<void> {
  const { deployment, settings, serve, repeat } = await start(Settings);
  let windows: Window[] = [];
  let current: Record<string, number> = {};
  serve((method, url, body) => {
    if (method === "GET") {
      return { latest: windows };
    }
    if (url.pathname !== "/clients") {
      return undefined;
    }
    for (const [region, count] of Object.entries(Report.parse(body))) {
      current[region] = (current[region] ?? 0) + count;
    }
    return {};
  });
  repeat(settings.windowSeconds * 1000, async () => {
    windows = [...windows, current].slice(-settings.windows);
    current = {};
    await deployment.change((now) => followUsers(now, windows, settings, deployment));
  });
}

function followUsers(
  now: Now,
  windows: readonly Window[],
  settings: Settings,
  deployment: ManagedDeployment,
): Change | undefined {
  const present = now.infrastructures.flatMap(({ name }) =>
    name.startsWith(prefix) ? [name.slice(prefix.length)] : [],
  );
  const { add, remove } = decide(windows, present, settings);
  if (add.length === 0 && remove.length === 0) {
    return undefined;
  }
  console.log(
    `sites in ${present.join(", ") || "no region"}; adding ${add.join(", ") || "none"}, removing ${remove.join(", ") || "none"}`,
  );
  const sites = add.map((region) => ({ region, name: prefix + region }));
  const gone = remove.map((region) => ({ region, name: prefix + region }));
  return {
    infrastructures: sites.map(({ region, name }) =>
      deployment.infrastructure({
        name,
        region,
        cpu: "100m",
        memory: "128Mi",
        disk: "256Mi",
        maxPrice: settings.maxPrice,
      }),
    ),
    removed: gone.map(({ name }) => name),
    manifest: {
      workloads: {
        ...Object.fromEntries(
          sites.map(({ name }) => [
            name,
            normalizeWorkload({
              infrastructure: name,
              container: settings.container,
              ports: [8080],
              healthCheck: { http: "/healthz" },
            }),
          ]),
        ),
        ...Object.fromEntries(gone.map(({ name }) => [name, null])),
      },
      connections: {
        ...Object.fromEntries(
          sites.flatMap(({ region, name }) => [
            [`public-${region}`, normalizeConnection({ to: name, port: 8080, from: { global: true } })],
            [`reports-${region}`, normalizeConnection({ to: "manager", port: 7000, from: { workload: name } })],
          ]),
        ),
        ...Object.fromEntries(
          gone.flatMap(({ region }) => [
            [`public-${region}`, null],
            [`reports-${region}`, null],
          ]),
        ),
      },
    },
  };
}

main().catch((error: unknown) => {
  console.error(String(error));
  process.exit(1);
});
