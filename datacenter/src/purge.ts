import pino, { type Logger } from "pino";
import type { DatacenterConfiguration } from "./configuration";
import { openConfiguredRuntime, openSigner } from "./datacenter";
import { openHome } from "./home/home";
import { rememberedVolumes } from "./reconcile/reconciler";

/**
 * Removes every workload of a datacenter whose agent does not run: agents leave them when they end. Leases are not
 * closed by it: an agent that starts again while they are active starts their workloads anew. Volumes go with
 * `volumes: "remove"`, for a datacenter that is taken down for good.
 * @throws where the runtime can't be reached: then something may still run
 */
export async function purgeDatacenter(
  configuration: DatacenterConfiguration,
  options: { readonly volumes: "keep" | "remove"; readonly logger?: Logger },
): Promise<void> {
  const logger = options.logger ?? pino({ level: configuration.logLevel });
  const { address } = await openSigner(configuration);
  const home = openHome(configuration.home);
  try {
    const runtime = await openConfiguredRuntime(configuration, address, logger);
    try {
      for (const { id } of await runtime.list()) await runtime.remove(id);
      if (options.volumes === "keep") return;
      for (const { volume, forget } of rememberedVolumes(home.records)) {
        await runtime.removeVolume(volume);
        forget();
      }
    } finally {
      await runtime.close();
    }
  } finally {
    await home.close();
  }
}
