import pino, { type Logger } from "pino";
import type { DatacenterConfiguration } from "./configuration";
import { openConfiguredRuntime, openSigner } from "./datacenter";
import { openHome } from "./home/home";
import { rememberedVolumes } from "./reconcile/reconciler";

/**
 * Removes every workload and volume of a datacenter whose agent does not run: agents leave them when they end, for a
 * datacenter that is taken down for good they must go. Leases are not closed by it.
 * @throws where the runtime can't be reached: then something may still run
 */
export async function purgeDatacenter(
  configuration: DatacenterConfiguration,
  options: { readonly logger?: Logger } = {},
): Promise<void> {
  const logger = options.logger ?? pino({ level: configuration.logLevel });
  const { address } = await openSigner(configuration);
  const home = openHome(configuration.home);
  try {
    const runtime = await openConfiguredRuntime(configuration, address, logger);
    try {
      for (const { id } of await runtime.list()) await runtime.remove(id);
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
