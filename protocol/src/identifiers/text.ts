import type { DeploymentId, FulfillmentId, OrderId } from "../generated/dcx/exchange/v1/types";
import { MAX_UINT64 } from "../quantities/decimal";
import { nameProblem } from "./names";

/** A text that should name something and doesn't. */
export class IdentifierError extends Error {
  override readonly name = "IdentifierError";
  constructor(
    /** e.g. `deployment id` */
    readonly kind: string,
    readonly written: string,
    readonly reason: string,
  ) {
    super(`${JSON.stringify(written)} is not a valid ${kind}: ${reason}`);
  }
}

/** What a Pulumi id names. With neither workload nor connection: the deployment itself. */
export interface ResourceId {
  readonly chain: string;
  readonly tenant: string;
  readonly sequence: bigint;
  readonly workload?: string;
  readonly connection?: string;
}

const MAX_UINT32 = 2n ** 32n - 1n;

/** `<tenant>/<sequence>` */
export function deploymentKey(id: DeploymentId): string {
  return `${id.tenant}/${id.sequence}`;
}

/** @throws {IdentifierError} */
export function parseDeploymentKey(text: string): DeploymentId {
  const reader = new Reader("deployment id", text, "<tenant>/<sequence>", 2);
  return { tenant: reader.address(0), sequence: reader.integer(1, MAX_UINT64) };
}

/** `<tenant>/<sequence>/<infrastructure>/<generation>`: of an order, and of the lease that came of it. */
export function orderKey(id: OrderId): string {
  return `${id.tenant}/${id.sequence}/${id.infrastructure}/${id.generation}`;
}

/** @throws {IdentifierError} */
export function parseOrderKey(text: string): OrderId {
  const reader = new Reader("order id", text, "<tenant>/<sequence>/<infrastructure>/<generation>", 4);
  return orderOf(reader);
}

/** `<order>/<index>` */
export function fulfillmentKey(id: { readonly order: OrderId; readonly index: number }): string {
  return `${orderKey(id.order)}/${id.index}`;
}

/** @throws {IdentifierError} */
export function parseFulfillmentKey(text: string): FulfillmentId & { order: OrderId } {
  const form = "<tenant>/<sequence>/<infrastructure>/<generation>/<index>";
  const reader = new Reader("fulfillment id", text, form, 5);
  return { order: orderOf(reader), index: Number(reader.integer(4, MAX_UINT32)) };
}

/** `<chain>/<tenant>/<sequence>`, `…/workloads/<name>` or `…/connections/<name>`: the id of a Pulumi resource. */
export function resourceIdText(id: ResourceId): string {
  const deployment = `${id.chain}/${id.tenant}/${id.sequence}`;
  if (id.workload !== undefined) {
    return `${deployment}/workloads/${id.workload}`;
  }
  return id.connection === undefined ? deployment : `${deployment}/connections/${id.connection}`;
}

/** @throws {IdentifierError} */
export function parseResourceId(text: string): ResourceId {
  const short = text.split("/").length <= 3;
  const form = "<chain>/<tenant>/<sequence>, optionally followed by /workloads/<name> or /connections/<name>";
  const reader = new Reader("resource id", text, form, short ? 3 : 5);
  const deployment = {
    chain: reader.chain(0),
    tenant: reader.address(1),
    sequence: reader.integer(2, MAX_UINT64),
  };
  if (short) {
    return deployment;
  }
  const kind = reader.part(3);
  if (kind !== "workloads" && kind !== "connections") {
    throw reader.refuse(`${JSON.stringify(kind)} is neither workloads nor connections`);
  }
  const name = reader.name(4);
  return kind === "workloads" ? { ...deployment, workload: name } : { ...deployment, connection: name };
}

function orderOf(reader: Reader): OrderId {
  return {
    tenant: reader.address(0),
    sequence: reader.integer(1, MAX_UINT64),
    infrastructure: reader.name(2),
    generation: Number(reader.integer(3, MAX_UINT32)),
  };
}

class Reader {
  readonly #parts: readonly string[];

  constructor(
    readonly kind: string,
    readonly text: string,
    form: string,
    length: number,
  ) {
    this.#parts = text.split("/");
    if (this.#parts.length !== length) {
      throw this.refuse(`it should look like ${form}`);
    }
  }

  refuse(reason: string): IdentifierError {
    return new IdentifierError(this.kind, this.text.slice(0, 300), reason);
  }

  part(index: number): string {
    return this.#parts[index] ?? "";
  }

  chain(index: number): string {
    const part = this.part(index);
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/.test(part)) {
      throw this.refuse(`${JSON.stringify(part)} is not a chain id`);
    }
    return part;
  }

  /** Not checked for its checksum: that is for whoever looks the account up. */
  address(index: number): string {
    const part = this.part(index);
    if (!/^[a-z0-9]{1,90}$/.test(part)) {
      throw this.refuse(`${JSON.stringify(part)} is not an account's address`);
    }
    return part;
  }

  integer(index: number, maximum: bigint): bigint {
    const part = this.part(index);
    if (!/^[1-9]\d{0,19}$/.test(part) || BigInt(part) > maximum) {
      throw this.refuse(`${JSON.stringify(part)} is not an integer from 1 to ${maximum}`);
    }
    return BigInt(part);
  }

  name(index: number): string {
    const part = this.part(index);
    const problem = nameProblem(part);
    if (problem !== undefined) {
      throw this.refuse(problem);
    }
    return part;
  }
}
