import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  createDatacenterRoot,
  createRootProof,
  MsgRegisterDatacenter,
  MsgRegisterDatacenterResponse,
  MsgSubmitLease,
  MsgSubmitStaleLease,
} from "@dcx/protocol";
import { AllowedMsgAllowance, BasicAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import type { EncodedMessage } from "../../application/transaction";
import { ExchangeError } from "../../state/errors";
import { chainId } from "../../state/testing/genesis";
import { messages } from "../../state/testing/messages";
import { addressOf, bytesOf } from "../../state/testing/names";
import { Staking, VoteOption } from "../../state/testing/stake";
import { terms } from "../../state/testing/world";
import { prepareWorld } from "./prepared-chain";

/** A message that the exchange takes from its signer, on the prepared chain. */
export interface Sample extends EncodedMessage {
  readonly signer: string;
}

type Places = ReturnType<typeof prepareWorld>;

const limits = {
  maxRate: "1000000000000000000000",
  maxCount: 50,
  regions: ["us-west"],
  datacenters: [addressOf("sierra")],
  mayChangeVersion: true,
  endHeight: 500n,
};
const managers = [{ address: addressOf("mia"), limits }];

/** Terms in which nothing is left out. */
function fullTerms(name: string) {
  const plain = terms(name, {
    region: "us-west",
    attributes: [{ key: "tier", value: "1" }],
    allowed: ["sierra", "tidewater"],
    denied: ["umbra"],
    persist: true,
    count: 2,
  });
  const gpu = { count: 2, vendor: "acme", model: "a1" };
  const compute = { cpu: 500n, memory: 1024n, disk: 7n, gpu };
  return { ...plain, resources: plain.resources.flatMap((group) => [{ ...group, compute }, group]) };
}

const stake: readonly (readonly [signer: string, act: (staking: Staking) => void])[] = [
  ["bob", (staking) => staking.bond("bob", { amount: 100n })],
  ["adam", (staking) => staking.edit("adam", 3n)],
  ["bob", (staking) => staking.delegate("bob", "beth", 40n)],
  ["bob", (staking) => staking.undelegate("bob", "adam", 30n)],
  ["bob", (staking) => staking.redelegate("bob", "adam", "beth", 20n)],
  ["mia", (staking) => void staking.propose("mia", { noticePeriod: "8", orderExpiry: "60" })],
  ["bob", (staking) => staking.vote("bob", 1n, VoteOption.VOTE_OPTION_YES)],
  ["adam", (staking) => staking.unjail("adam")],
  ["bob", (staking) => staking.withdraw("bob", "adam")],
  ["adam", (staking) => staking.withdrawCommission("adam")],
];

const acts: readonly (readonly [signer: string, act: (places: Places) => void])[] = [
  [
    "alice",
    ({ pure }) => {
      pure.deploy("alice", [fullTerms("north"), terms("south")], { waitDuration: 3n, managers });
    },
  ],
  [
    "alice",
    ({ pure, lease }) => {
      pure.update("alice", lease, {
        infrastructures: [fullTerms("north")],
        removedInfrastructures: ["west"],
        waitDuration: { blocks: 4n },
        manifest: { version: bytesOf("v2"), entries: 3 },
        managers: { managers },
      });
    },
  ],
  ["alice", ({ pure, lease }) => pure.cancel("alice", lease)],
  ["alice", ({ pure, lease }) => pure.closeLease("alice", lease, "reopen")],
  ["umbra", ({ pure, order }) => void pure.bid("umbra", order, 2n)],
  ["tidewater", ({ pure, order }) => pure.cancelBid("tidewater", order)],
  ["tidewater", ({ pure, successor }) => pure.cancelBid("tidewater", successor)],
  ["sierra", ({ pure, lease }) => void pure.notice("sierra", lease)],
  ["tidewater", ({ pure, successor }) => void pure.confirm("tidewater", successor, "v1")],
  ["alice", ({ pure }) => pure.transfer("alice", "mia", 10n)],
  ["bob", ({ pure }) => pure.grantFees("bob", "mia", 50n)],
  [
    "bob",
    ({ pure }) => {
      const basic = BasicAllowance.encode({ spendLimit: [{ denom: "udcx", amount: "50" }] }).finish();
      const value = AllowedMsgAllowance.encode({
        allowance: { typeUrl: "/cosmos.feegrant.v1beta1.BasicAllowance", value: basic },
        allowedMessages: [messages.send.typeUrl],
      }).finish();
      pure.run(messages.grantAllowance, {
        granter: addressOf("bob"),
        grantee: addressOf("alice"),
        allowance: { typeUrl: "/cosmos.feegrant.v1beta1.AllowedMsgAllowance", value },
      });
    },
  ],
  ["alice", ({ pure }) => pure.revokeFees("alice", "mia")],
  ...stake.map(([signer, act]) => [signer, ({ pure }: Places) => act(new Staking(pure))] as const),
];

/** One of every kind of message that accounts send; each is good, but for those of stake that have nothing to do yet. */
export async function samples(): Promise<readonly Sample[]> {
  return [...acts.map(([signer, act]) => sampleOf(signer, act)), await registration()];
}

function sampleOf(signer: string, act: (places: Places) => void): Sample {
  const places = prepareWorld();
  try {
    act(places);
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
  }
  const made = places.pure.attempts.at(-1);
  if (made === undefined) throw new Error(`${signer} has tried nothing`);
  return { typeUrl: made.typeUrl, value: made.value, signer };
}

async function registration(): Promise<Sample> {
  const datacenter = addressOf("sierra");
  const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };
  const root = async (endHeight: bigint) => {
    const made = await createDatacenterRoot({ chainId, datacenter }, validity);
    const certificate = new Uint8Array(new X509Certificate(made.certificate).raw);
    const proof = createRootProof({ chainId, datacenter, certificate }, createPrivateKey(made.key));
    return { certificate, proof, endHeight };
  };
  const message = {
    datacenter,
    region: "us-west",
    attributes: [{ key: "tier", value: "1" }],
    agentUrls: ["https://127.0.0.1:8443"],
    tunnelAddresses: ["127.0.0.1:9443"],
    roots: [await root(0n), await root(40n)],
  };
  const kind = {
    typeUrl: "/dcx.exchange.v1.MsgRegisterDatacenter",
    request: MsgRegisterDatacenter,
    response: MsgRegisterDatacenterResponse,
  };
  return sampleOf("sierra", ({ pure }) => void pure.run(kind, message));
}

/** What only facilitators make. */
export function facilitatorSamples({ lease, order }: Places): readonly EncodedMessage[] {
  return [
    {
      typeUrl: "/dcx.exchange.v1.MsgSubmitLease",
      value: MsgSubmitLease.encode({ fulfillment: { order, index: 1 } }).finish(),
    },
    { typeUrl: "/dcx.exchange.v1.MsgSubmitStaleLease", value: MsgSubmitStaleLease.encode({ lease }).finish() },
  ];
}
