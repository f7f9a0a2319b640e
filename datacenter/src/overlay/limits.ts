import type { IngressLimits, TunnelLimits } from "./overlay";

/** At the ports of global connections where the operator says nothing else. */
export const usualIngressLimits: IngressLimits = { connections: 10_000, connectionsPerAddress: 500, handshake: 10_000 };

/** At the port of tunnels where the operator says nothing else. */
export const usualTunnelLimits: TunnelLimits = {
  handshakes: 1_000,
  handshakesPerAddress: 250,
  handshakeTimeout: 10_000,
  perSource: 100,
};
