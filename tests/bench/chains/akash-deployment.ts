import { createHash } from "node:crypto";
import type { GeneratedType } from "@cosmjs/proto-signing";
import { BinaryWriter } from "cosmjs-types/binary";
import { Coin } from "cosmjs-types/cosmos/base/v1beta1/coin";

/** What of a MsgCreateDeployment differs between two of them. */
export interface AkashDeployment {
  readonly owner: string;
  /** Unique among the owner's. */
  readonly sequence: bigint;
}

export const createDeploymentUrl = "/akash.deployment.v1beta3.MsgCreateDeployment";

type Write = (writer: BinaryWriter) => void;

/** One field that is a message. */
function part(field: number, write: Write): Write {
  return (writer) => {
    writer.uint32((field << 3) | 2).fork();
    write(writer);
    writer.ldelim();
  };
}

function all(...writes: readonly Write[]): Write {
  return (writer) => {
    for (const write of writes) {
      write(writer);
    }
  };
}

const text =
  (field: number, value: string): Write =>
  (writer) =>
    writer.uint32((field << 3) | 2).string(value);
const bytes =
  (field: number, value: Uint8Array): Write =>
  (writer) =>
    writer.uint32((field << 3) | 2).bytes(value);
const number =
  (field: number, value: bigint): Write =>
  (writer) =>
    writer.uint32(field << 3).uint64(value);
/** A number as akash.base.v1beta3.ResourceValue has it: decimal digits, as bytes. */
const quantity = (field: number, value: bigint): Write => part(field, bytes(1, Buffer.from(value.toString())));

/**
 * The one message of akash.deployment.v1beta3 (akash-api v0.0.67) that is measured: one group of one unit, as much as
 * the exchange's. Written by hand, for nothing else of Akash's protocol is needed here.
 */
function write({ owner, sequence }: AkashDeployment): Write {
  const deposit = Coin.encode({ denom: "uakt", amount: "500000" }).finish();
  const resources = all(
    number(1, 1n),
    part(2, quantity(1, 100n)),
    part(3, quantity(1, 2n ** 27n)),
    part(4, all(text(1, "default"), quantity(2, 2n ** 30n))),
    part(5, quantity(1, 0n)),
    // An endpoint of kind SHARED_HTTP, as what a tenant deploys has.
    part(6, () => {}),
  );
  const price = all(text(1, "uakt"), text(2, (10n * 10n ** 18n).toString()));
  const requirements = all(
    part(1, () => {}),
    part(2, all(text(1, "region"), text(2, "us-west"))),
  );
  const group = all(
    text(1, "west"),
    part(2, requirements),
    part(3, all(part(1, resources), number(2, 1n), part(3, price))),
  );
  return all(
    part(1, all(text(1, owner), number(2, sequence))),
    part(2, group),
    bytes(3, createHash("sha256").update(`${owner}/${sequence}`).digest()),
    bytes(4, deposit),
    text(5, owner),
  );
}

/** The message's type for a registry. */
export const MsgCreateDeployment: GeneratedType = {
  encode(message: AkashDeployment, writer: BinaryWriter = BinaryWriter.create()): BinaryWriter {
    write(message)(writer);
    return writer;
  },
  decode(): never {
    throw new Error("deployments of Akash are written here, never read");
  },
  fromPartial: (message: AkashDeployment) => message,
};
