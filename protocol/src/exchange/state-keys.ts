import type { DeploymentId, OrderId } from "../generated/dcx/exchange/v1/types";

/**
 * Keys of the exchange's committed state, under which a node proves records by `/store/dcx/key`. They are part of what
 * a proof says, so they never change on a running chain (exchange: `state/keys.ts`).
 */

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, "latin1");
}

function deployment({ tenant, sequence }: DeploymentId): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(sequence);
  return Buffer.concat([text(tenant), number]);
}

function table(prefix: string, ...rest: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from(prefix, "latin1"), ...rest]);
}

export const stateKeys = {
  /** Parameters. */
  parameters: (): Buffer => table("pa"),
  /** Datacenter. */
  datacenter: (address: string): Buffer => table("dc", text(address)),
  /** Deployment. */
  deployment: (id: DeploymentId): Buffer => table("de", deployment(id)),
  /** SlotRecord: which generations of an infrastructure are leased and ordered. */
  slot: (id: DeploymentId, infrastructure: string): Buffer => table("sl", deployment(id), text(infrastructure)),
  /** Lease. */
  lease: (id: OrderId): Buffer => {
    const generation = Buffer.alloc(4);
    generation.writeUInt32BE(id.generation);
    return table("le", deployment(id), text(id.infrastructure), generation);
  },
} as const;
