import { ModelNetwork } from "../../provider/src/network/model/model-network";
import type { ActualDeployment, Envelope } from "../../provider/src/network/snapshot";

interface Recording {
  readonly chain: string;
  readonly height: bigint;
  readonly deployments: readonly (readonly [string, ActualDeployment])[];
  readonly holders: readonly {
    readonly address: string;
    readonly region: string;
    readonly asks: bigint;
    readonly attributes: Readonly<Record<string, string>>;
    readonly manifests: readonly Envelope[];
  }[];
}

/** A network in which the recorded programs find what they ask for. */
export function emptyNetwork(): ModelNetwork {
  const network = new ModelNetwork("dcx-recorded");
  network.addDatacenter("sierra", "us-west", 10n ** 18n, { tier: "gold" });
  network.addDatacenter("tide", "us-east", 2n * 10n ** 18n);
  return network;
}

/** All that a network holds, as text. */
export function writeNetwork(network: ModelNetwork): string {
  const recording: Recording = {
    chain: network.chain,
    height: network.height,
    deployments: [...network.deployments],
    holders: [...network.holders.values()].map(({ address, region, asks, attributes, manifests }) => ({
      address,
      region,
      asks,
      attributes,
      manifests: [...manifests.values()],
    })),
  };
  // bigint as {"bigint": "…"}; what is absent stays absent.
  const text = JSON.stringify(
    recording,
    (_key, value: unknown) => (typeof value === "bigint" ? { bigint: String(value) } : value),
    2,
  );
  return `${text}\n`;
}

/** The network that was written. */
export function readNetwork(text: string): ModelNetwork {
  const recording: Recording = JSON.parse(text, (_key, value: unknown) =>
    typeof value === "object" && value !== null && "bigint" in value ? BigInt(String(value.bigint)) : value,
  );
  const network = new ModelNetwork(recording.chain);
  network.height = recording.height;
  for (const { address, region, asks, attributes, manifests } of recording.holders) {
    const holder = network.addDatacenter(address, region, asks, attributes);
    for (const envelope of manifests) {
      holder.manifests.set(envelope.version, envelope);
    }
  }
  for (const [key, deployment] of recording.deployments) {
    network.deployments.set(key, deployment);
  }
  return network;
}
