import { encode } from "../wire/codec";
import { Secret, type Value, type ValueMap } from "../wire/value";
import { ConfigurationError } from "./configuration";
import { statedNetwork } from "./network-settings";
import { Reader } from "./reader";
import { isUndetermined, resolveConfiguration } from "./resolve";
import { secretSettings } from "./settings";

export interface ConfigurationCheck {
  /** As given, with what is secret marked so; nothing from the environment, for inputs are kept in state. */
  readonly inputs: ValueMap;
  readonly failures: readonly { readonly property: string; readonly reason: string }[];
}

/** What CheckConfig answers. Values that are not known yet are checked once they are. */
export function checkConfiguration(inputs: ValueMap, environment: NodeJS.ProcessEnv): ConfigurationCheck {
  return { inputs: markSecrets(inputs), failures: isUndetermined(inputs) ? [] : failures(inputs, environment) };
}

function failures(inputs: ValueMap, environment: NodeJS.ProcessEnv): ConfigurationCheck["failures"] {
  try {
    resolveConfiguration(inputs, environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) {
      throw error;
    }
    // Never by property: the engine prints the whole value of a property that a failure names.
    return error.problems.map(({ setting, reason }) => ({ property: "", reason: `dcx:${setting}: ${reason}` }));
  }
}

function markSecrets(inputs: ValueMap): ValueMap {
  return Object.fromEntries(
    Object.entries(inputs).map(([key, value]) => [
      key,
      secretSettings.has(key) && !(value instanceof Secret) && value !== null ? new Secret(value) : value,
    ]),
  );
}

export interface ConfigurationDiff {
  /** Settings that differ. */
  readonly changed: readonly string[];
  /** Those of them with which the resources that exist can't be managed any more. */
  readonly replacing: readonly string[];
}

/**
 * What DiffConfig answers. Only another network replaces what was deployed, and only where both sides say which one:
 * moving from the default provider to an explicit one, or naming what was meant all along, replaces nothing.
 * Credentials, endpoints of the same chain and timeouts never do.
 */
export function diffConfiguration(olds: ValueMap, news: ValueMap): ConfigurationDiff {
  const keys = new Set([...Object.keys(olds), ...Object.keys(news)]);
  const changed = [...keys].filter((key) => spelled(olds[key]) !== spelled(news[key]));
  const [before, after] = [identityOf(olds), identityOf(news)];
  const differ = (a: string | undefined, b: string | undefined): boolean =>
    a !== undefined && b !== undefined && a !== b;
  const replacing = [
    ...(differ(before.kind, after.kind) ? [changed.includes("network") ? "network" : "endpoints"] : []),
    ...(differ(before.chainId, after.chainId) ? [changed.includes("chainId") ? "chainId" : "network"] : []),
  ];
  return { changed, replacing };
}

/** As far as the inputs alone say: the environment of the time when they were written is not known. */
function identityOf(inputs: ValueMap): { readonly kind: string | undefined; readonly chainId: string | undefined } {
  const network = statedNetwork(new Reader(inputs, {}));
  return { kind: network?.kind, chainId: network?.kind === "exchange" ? network.chainId : undefined };
}

/** Equal for equal values: secrets are compared by what they hold, which never leaves this process. */
function spelled(value: Value | undefined): string {
  return Buffer.from(encode({ value: value ?? null }).serializeBinary()).toString("base64");
}
