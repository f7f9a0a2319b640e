import {
  type AccountSigner,
  readKeyFile,
  signerFromMnemonic,
  signerFromPrivateKey,
  tenantKeyFromSecret,
} from "@dcx/protocol";
import type { ProviderConfiguration, SignerChoice } from "../configuration/configuration";
import { embeddedEndpoint } from "./embedded";
import { fixedEndpoint, tenantKeyPurpose } from "./exchange/endpoint";
import { ExchangeDriver } from "./exchange/exchange-driver";

/** The driver of the network that the configuration names. Connects to nothing yet. */
export function configuredDriver(configuration: ProviderConfiguration, environment: NodeJS.ProcessEnv): ExchangeDriver {
  const { network, signer, namespaceKey } = configuration;
  if (network.kind === "embedded") {
    return new ExchangeDriver(embeddedEndpoint(environment));
  }
  return new ExchangeDriver(
    fixedEndpoint(async () => {
      const account = await signerOf(signer);
      return {
        network: "exchange",
        endpoints: network.endpoints,
        chainId: network.chainId,
        signer: account,
        tenantKey:
          namespaceKey === undefined ? account.deriveSecret(tenantKeyPurpose) : tenantKeyFromSecret(namespaceKey),
      };
    }),
  );
}

async function signerOf(choice: SignerChoice | undefined): Promise<AccountSigner> {
  switch (choice?.kind) {
    case "mnemonic":
      return signerFromMnemonic(choice.mnemonic);
    case "privateKey":
      return signerFromPrivateKey(choice.privateKey);
    case "keyFile":
      return signerFromPrivateKey(readKeyFile(choice.path).privateKey);
    case undefined:
      throw new Error("an exchange that somebody runs needs a signer; its configuration was checked to have one");
  }
}
