import { Secret, Unknown, type ValueMap } from "../wire/value";
import { ConfigurationError, type ProviderConfiguration, type Timeouts } from "./configuration";
import { resolveAgentProxy, resolveIsolation, resolveNetwork, type SignerNeed } from "./network-settings";
import { Reader } from "./reader";
import { type Setting, settings } from "./settings";
import { resolveNamespaceKey, resolveSigner } from "./signer-settings";
import { resolveFees } from "./spending-settings";

/** Seconds. */
const DEFAULT_TIMEOUT = 600;
/** Milliseconds. */
const DEFAULT_PATIENCE = 10_000;
const WEEK = 7 * 24 * 3_600_000;
const HOUR = 3_600_000;

/**
 * What the provider's inputs and the environment together mean: an input counts before the environment variable of
 * the same setting. Throws ConfigurationError with everything that is wrong. Reads no file and asks no network.
 */
export function resolveConfiguration(
  inputs: ValueMap,
  environment: NodeJS.ProcessEnv,
  /** `signer-optional`: for who changes nothing. */
  need: SignerNeed = "signer-needed",
): ProviderConfiguration {
  const reader = new Reader(inputs, environment);
  const signer = resolveSigner(reader);
  const network = resolveNetwork(reader, signer, need);
  const own = network.kind === "embedded" ? undefined : signer;
  const configuration = {
    network,
    signer: own,
    namespace: reader.text("namespace") ?? "",
    namespaceKey: resolveNamespaceKey(reader, own),
    agentProxy: resolveAgentProxy(reader),
    minimumIsolation: resolveIsolation(reader),
    fees: resolveFees(reader),
    maxCostPerMonth: reader.tokens("maxCostPerMonth"),
    timeouts: resolveTimeouts(reader),
    patience: reader.duration("patience", HOUR, "an hour", '"10s" or "1m"') ?? DEFAULT_PATIENCE,
    skipAwait: reader.flag("skipAwait"),
  };
  reader.refuseUnknownSettings();
  if (reader.problems.length > 0) {
    throw new ConfigurationError(reader.problems);
  }
  return configuration;
}

/** Whether some setting is known only once another resource is there: nothing can be resolved yet. */
export function isUndetermined(inputs: ValueMap): boolean {
  return settings.some((setting) => {
    const value = inputs[setting];
    return value instanceof Unknown || (value instanceof Secret && value.reveal() instanceof Unknown);
  });
}

function resolveTimeouts(reader: Reader): Timeouts {
  const seconds = (setting: Setting): number | undefined => {
    const milliseconds = reader.duration(setting, WEEK, "a week", '"90s", "10m" or "1h"');
    return milliseconds === undefined ? undefined : milliseconds / 1000;
  };
  const timeout = seconds("timeout") ?? DEFAULT_TIMEOUT;
  return {
    create: seconds("createTimeout") ?? timeout,
    update: seconds("updateTimeout") ?? timeout,
    delete: seconds("deleteTimeout") ?? timeout,
  };
}
