import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type EmbeddedNetwork,
  type EmbeddedPaths,
  embeddedPaths,
  readEmbeddedNetwork,
  readKeyFile,
  signerFromPrivateKey,
  tenantKeyFromSecret,
  wasReset,
} from "@dcx/protocol";
import type { ProviderConfiguration } from "../configuration/configuration";
import { NetworkError } from "./driver";
import { type EndpointSource, type ExchangeEndpoint, tenantKeyPurpose } from "./exchange/endpoint";

/** What the configuration says that matters on an embedded network too. */
export type EmbeddedSettings = Pick<ProviderConfiguration, "fees" | "namespaceKey" | "patience">;

/**
 * The user's own embedded network. Looking for it starts nothing: only `start` does, by the `dcx` command, which holds
 * the lock and makes the processes that outlive us.
 */
export function embeddedEndpoint(environment: NodeJS.ProcessEnv, settings: EmbeddedSettings): EndpointSource {
  const paths = embeddedPaths(environment);
  return {
    async locate() {
      const network = readEmbeddedNetwork(paths);
      return network === undefined ? undefined : endpointOf(network, paths, settings);
    },
    async start(status, signal) {
      status("embedded network: starting");
      await startByCommand(environment, status, signal);
      const network = readEmbeddedNetwork(paths);
      if (network === undefined) {
        throw new NetworkError("unreachable", `\`dcx network start\` ended well but left no ${paths.descriptor}.`);
      }
      status(`embedded network ${network.chainId}: ${network.datacenters.length} datacenters`);
      return endpointOf(network, paths, settings);
    },
    isGone: (chain) => wasReset(paths, chain),
  };
}

function endpointOf(network: EmbeddedNetwork, paths: EmbeddedPaths, configuration: EmbeddedSettings): ExchangeEndpoint {
  const { privateKey } = readKeyFile(paths.tenantKey);
  return {
    network: "embedded",
    endpoints: [network.rpcUrl],
    chainId: network.chainId,
    account: async (addressPrefix) => {
      const signer = await signerFromPrivateKey(privateKey, { addressPrefix });
      const { namespaceKey } = configuration;
      const tenantKey =
        namespaceKey === undefined ? signer.deriveSecret(tenantKeyPurpose) : tenantKeyFromSecret(namespaceKey);
      return { signer, tenantKey };
    },
    fees: configuration.fees,
    patience: configuration.patience,
  };
}

/** The `dcx` command: named by DCX_CLI, beside the plugin, or on the PATH. */
function dcxCommand(environment: NodeJS.ProcessEnv): string {
  const named = environment["DCX_CLI"];
  if (named !== undefined && named !== "") {
    return named;
  }
  // In the repository, then in the archive that is released.
  const beside = ["../../cli/bin/dcx", "../../../cli/bin/dcx", "../../dcx", "../../../dcx"].map((path) =>
    join(__dirname, path),
  );
  return beside.find((path) => existsSync(path)) ?? "dcx";
}

function startByCommand(
  environment: NodeJS.ProcessEnv,
  status: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const command = dcxCommand(environment);
  return new Promise((resolve, reject) => {
    const child = spawn(command, ["network", "start", "--json"], {
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
      signal,
    });
    let said = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      said = `${said}${text}`.slice(-4000);
      const line = text.trim().split("\n").at(-1);
      if (line !== undefined && line !== "") {
        status(`embedded network: ${line}`);
      }
    });
    child.once("error", (error) => {
      reject(
        signal.aborted
          ? signal.reason
          : new NetworkError(
              "unreachable",
              `The embedded network could not be started: ${command} can't be run (${error.message}). ` +
                "Put the dcx command on the PATH or name it in DCX_CLI; or say another network in the configuration.",
              { cause: error },
            ),
      );
    });
    child.once("close", (code) => {
      if (code === 0) {
        resolve();
      } else {
        reject(
          new NetworkError("unreachable", `\`dcx network start\` ended with ${code ?? "a signal"}:\n${said.trim()}`),
        );
      }
    });
  });
}
