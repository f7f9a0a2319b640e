import {
  Datacenter,
  Deployment,
  type DeploymentId,
  type ExchangeQueryClient,
  Lease,
  LeaseState,
  type OrderId,
  orderKey,
  Parameters,
  pause,
  type QueryDeploymentResponse,
  SlotRecord,
  stateKeys,
  within,
} from "@dcx/protocol";
import { z } from "zod";
import type { LightClient } from "./light-client/light-client";
import { ProofRefused, verifyEntry } from "./light-client/proof";
import { millisecondsOf } from "./light-client/verify";

/** Most that one read may take, waiting for the block that holds its root included, in ms. */
const patience = 15_000;
const retryInterval = 200;
const proofType = "ics23:dcx";

const base64 = z
  .string()
  .max(4 << 20)
  .nullish()
  .transform((text) => Uint8Array.from(Buffer.from(text ?? "", "base64")));
const EntryAnswer = z.object({
  response: z.object({
    code: z.number().int().default(0),
    log: z.string().default(""),
    value: base64,
    height: z.coerce.bigint(),
    proofOps: z.object({ ops: z.array(z.object({ type: z.string(), data: base64 })).max(4) }).nullish(),
  }),
});

/** What was proven, and when it was so. */
export interface Proven<T> {
  readonly value: T;
  /** On the clock of `performance.now()`: the time of the block that proves it. */
  readonly asOf: number;
}

/**
 * Reads of records that hold whatever the endpoint is: each is proven against a header that the light client has
 * verified. What an endpoint can still do is to say nothing, or to show a state that was true and is over: `asOf` says
 * how old it is, and no read is from before a block that `reach` has verified.
 *
 * A deployment's leases are complete: its record names the infrastructures, and the slot of each the leases that are
 * active. So an endpoint can neither invent a holder nor make one disappear.
 */
export class ProvenReads {
  #floor = 0n;

  constructor(
    private readonly query: ExchangeQueryClient,
    private readonly light: LightClient,
  ) {}

  /** Verifies that the chain has come to this height; no later read is of an older state. */
  async reach(height: bigint, signal: AbortSignal): Promise<Proven<bigint>> {
    const { time } = await within(patience, signal, (bounded) => this.light.header(height, bounded));
    if (height > this.#floor) this.#floor = height;
    return { value: height, asOf: asOf(millisecondsOf(time)) };
  }

  async parameters(signal: AbortSignal): Promise<Proven<Parameters>> {
    const { value, asOf } = await this.#record(stateKeys.parameters(), Parameters, signal);
    if (value === undefined) throw new ProofRefused("the exchange's state has no parameters: is it a dcx exchange?");
    return { value, asOf };
  }

  datacenter(address: string, signal: AbortSignal): Promise<Proven<Datacenter | undefined>> {
    return this.#record(stateKeys.datacenter(address), Datacenter, signal);
  }

  /**
   * A deployment with its active leases and the records of their datacenters, all proven. Of what an endpoint answered
   * only what gives nobody a right is kept: orders, and leases that are over.
   */
  async deployment(
    id: DeploymentId,
    answer: QueryDeploymentResponse,
    signal: AbortSignal,
  ): Promise<Proven<QueryDeploymentResponse>> {
    const deployment = await this.#record(stateKeys.deployment(id), Deployment, signal);
    const infrastructures = deployment.value?.infrastructures ?? [];
    const slots = await Promise.all(
      infrastructures.map(({ terms }) => this.#record(stateKeys.slot(id, terms?.name ?? ""), SlotRecord, signal)),
    );
    const leases = await Promise.all(
      slots.flatMap(({ value }) => generationsOf(id, value)).map((lease) => this.#lease(lease, signal)),
    );
    const active = leases.flatMap(({ value }) => (value?.state === LeaseState.ACTIVE ? [value] : []));
    const holders = [...new Set(active.map(({ datacenter }) => datacenter))];
    const datacenters = await Promise.all(holders.map((address) => this.datacenter(address, signal)));
    const proven = new Set(leases.flatMap(({ value }) => (value?.id === undefined ? [] : [orderKey(value.id)])));
    const over = answer.leases.filter(
      (lease) => lease.state !== LeaseState.ACTIVE && lease.id !== undefined && !proven.has(orderKey(lease.id)),
    );
    return {
      value: {
        ...answer,
        deployment: deployment.value,
        leases: [...leases.flatMap(({ value }) => (value === undefined ? [] : [value])), ...over],
        datacenters: datacenters.flatMap(({ value }) => (value === undefined ? [] : [value])),
      },
      asOf: Math.min(...[deployment, ...slots, ...leases, ...datacenters].map((each) => each.asOf)),
    };
  }

  async #lease(id: OrderId, signal: AbortSignal): Promise<Proven<Lease | undefined>> {
    return await this.#record(stateKeys.lease(id), Lease, signal);
  }

  async #record<T>(
    key: Buffer,
    codec: { decode(bytes: Uint8Array): T },
    signal: AbortSignal,
  ): Promise<Proven<T | undefined>> {
    const { value, asOf } = await within(patience, signal, (bounded) => this.#entry(key, bounded));
    return { value: value === undefined ? undefined : codec.decode(value), asOf };
  }

  async #entry(key: Buffer, signal: AbortSignal): Promise<Proven<Uint8Array | undefined>> {
    const params = { path: "/store/dcx/key", data: key.toString("hex"), height: "0", prove: true };
    for (;;) {
      const { response } = await this.query.ask("abci_query", params, EntryAnswer, { signal });
      if (response.code !== 0) throw new ProofRefused(`the endpoint proves no record: ${response.log}`);
      if (response.height < this.#floor) {
        // A node that is behind another one catches up; one that shows an old state on purpose does not.
        await pause(retryInterval, signal);
        continue;
      }
      const proof = response.proofOps?.ops.find(({ type }) => type === proofType);
      if (proof === undefined) throw new ProofRefused("the endpoint answered without a proof");
      const next = response.height + 1n;
      await this.query.waitForHeight(next, { signal });
      const header = await this.light.header(next, signal);
      const value = response.value.length === 0 ? undefined : response.value;
      verifyEntry(proof.data, header.appHash, key, value);
      return { value, asOf: asOf(millisecondsOf(header.time)) };
    }
  }
}

function generationsOf(id: DeploymentId, slot: SlotRecord | undefined): OrderId[] {
  if (slot === undefined) return [];
  const generations = [...new Set([slot.lease, slot.successor])].filter((generation) => generation !== 0);
  return generations.map((generation) => ({ ...id, infrastructure: slot.infrastructure, generation }));
}

/** A block's time on the clock that nobody sets. */
function asOf(time: number): number {
  return performance.now() - Math.max(0, Date.now() - time);
}
