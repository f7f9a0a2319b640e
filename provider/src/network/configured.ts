import { holdsKey, openSigner, type SignerChoice, SignerFailed, tenantKeyFromSecret } from "@dcx/protocol";
import type { ProviderConfiguration } from "../configuration/configuration";
import { embeddedEndpoint } from "./embedded";
import { fixedEndpoint, type TenantAccount, tenantKeyPurpose } from "./exchange/endpoint";
import { ExchangeDriver } from "./exchange/exchange-driver";
import { WatchOnlyAccount } from "./watch-only";

/** The driver of the network that the configuration names. Connects to nothing yet. */
export function configuredDriver(configuration: ProviderConfiguration, environment: NodeJS.ProcessEnv): ExchangeDriver {
  const { network, signer, namespaceKey, fees, patience, agentProxy } = configuration;
  if (network.kind === "embedded") {
    return new ExchangeDriver(embeddedEndpoint(environment, configuration));
  }
  return new ExchangeDriver(
    fixedEndpoint({
      network: "exchange",
      endpoints: network.endpoints,
      chainId: network.chainId,
      account: (addressPrefix) => openAccount(signer, namespaceKey, { addressPrefix, environment }),
      fees,
      signingTime: signer?.kind === "command" || signer?.kind === "remote" ? signer.timeout : undefined,
      patience,
      agentProxy,
    }),
  );
}

async function openAccount(
  choice: SignerChoice | undefined,
  namespaceKey: string | undefined,
  options: { readonly addressPrefix: string; readonly environment: NodeJS.ProcessEnv },
): Promise<TenantAccount> {
  if (choice === undefined) {
    // The configuration was checked to have one wherever anything is changed.
    return new WatchOnlyAccount();
  }
  const signer = await openSigner(choice, options);
  if (namespaceKey !== undefined) {
    return { signer, tenantKey: tenantKeyFromSecret(namespaceKey) };
  }
  if (!holdsKey(signer)) {
    throw new SignerFailed(`Nothing can be derived from the key of ${signer.address}: set \`namespaceKey\`.`);
  }
  return { signer, tenantKey: signer.deriveSecret(tenantKeyPurpose) };
}
