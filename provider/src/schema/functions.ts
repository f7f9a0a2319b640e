import {
  flag,
  integer,
  listOf,
  mapOf,
  objectType,
  optional,
  type Properties,
  required,
  specs,
  text,
  typeNamed,
} from "./build";
import { deploymentId, incarnation, leases } from "./resources";

interface FunctionSource {
  readonly description: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

const id = "`<chain>/<tenant>/<sequence>`";
const datacenter = required(text, "Address of the datacenter.");
const name = required(text, "How the datacenter is called: its attribute `name`, else its address, shortened.");
const datacenterRegion = required(text, "Its region.");
const cost = required(typeNamed("Cost"), "What that costs.");

const records: Properties = {
  deploymentId: optional(text, `Of this deployment only: ${id}.`),
  tenant: optional(text, "Of all deployments of this account. Without it and `deploymentId`: of the configured one."),
};

const entries: Properties = {
  workloads: optional(mapOf(typeNamed("InlineWorkload")), "Workloads by name, as a `Deployment` takes them inline."),
  connections: optional(
    mapOf(typeNamed("InlineConnection")),
    "Connections by name, as a `Deployment` takes them inline.",
  ),
};

const functions: Readonly<Record<string, FunctionSource>> = {
  getBalance: {
    description: "What an account has that is not bound in deposits or collateral.",
    inputs: { address: optional(text, "Address of the account. Without: the configured one.") },
    outputs: {
      address: required(text, "Address of the account."),
      balance: required(text, "Tokens."),
      microUnits: required(text, "The same in micro-units."),
      denomination: required(text, "Name of the micro-unit."),
    },
  },
  getDatacenters: {
    description: "The datacenters that sell capacity, by region and name.",
    inputs: {
      region: optional(text, "Only those in this region."),
      attributes: optional(mapOf(text), "Only those that have these attributes."),
      isolation: optional(text, "Only those that isolate like this: `container`, `sandbox` or `none`."),
    },
    outputs: { datacenters: required(listOf(typeNamed("Datacenter")), "Those that meet all of it.") },
  },
  getDeployment: {
    description: "What a deployment is now, with its version and revision, which change with its workloads.",
    inputs: { deploymentId: required(text, id) },
    outputs: {
      deploymentId,
      leases,
      incarnation,
      version: required(text, "The SHA-256 of its manifest."),
      revision: required(text, "A counter that every accepted update raises by one."),
      manifestEntries: required(integer, "How many workloads and connections it has."),
    },
  },
  getLeases: {
    description: "Leases, with what has been paid and is bound for them.",
    inputs: {
      ...records,
      state: optional(
        text,
        "`active` (the default), `closed`, `broken` or `all`. What has ended is forgotten in time.",
      ),
    },
    outputs: { leases: required(listOf(typeNamed("LeaseRecord")), "By deployment, infrastructure and generation.") },
  },
  getOrders: {
    description: "Orders, and the offers that datacenters have made on those that are open.",
    inputs: {
      ...records,
      state: optional(text, "`open` (the default), `matched`, `closed` or `all`. What has ended is forgotten in time."),
    },
    outputs: { orders: required(listOf(typeNamed("Order")), "By deployment, infrastructure and generation.") },
  },
  getQuote: {
    description:
      "What infrastructures would cost now, which datacenters would bid on them and at what price, and why the others " +
      "would not. Nothing is ordered, and nothing is sent to the chain. Each infrastructure is quoted by itself: whether " +
      "one datacenter has room for several at once is not told.",
    inputs: {
      infrastructures: required(mapOf(typeNamed("Infrastructure")), "By name, as a `Deployment` takes them."),
    },
    outputs: {
      infrastructures: required(mapOf(typeNamed("Quote")), "The quotes for each, by its name."),
      fillable: required(flag, "Whether somebody would bid on every one of them."),
      cost: optional(typeNamed("Cost"), "What the cheapest bids cost together, where there is one on every one."),
      highest: required(typeNamed("Cost"), "What they would cost at their maximum prices."),
    },
  },
  getVersion: {
    description:
      "The version that a manifest has in a deployment: the hash that the chain keeps. It is salted, so the same " +
      "workloads have another version in each deployment. The salt follows from the tenant's key, and the deployment's " +
      "client token and nonce: they are read from the chain by `deploymentId`, or given. With the `salt` itself neither a " +
      "key nor a network is needed.",
    inputs: {
      ...entries,
      deploymentId: optional(text, `A deployment of the configured account: ${id}.`),
      clientToken: optional(text, "Instead, with `nonce`: its client token, 64 hexadecimal digits."),
      nonce: optional(text, "Instead, with `clientToken`: its nonce, 64 hexadecimal digits."),
      salt: optional(text, "Instead: its salt, 64 hexadecimal digits.", { secret: true }),
    },
    outputs: {
      version: required(text, "The SHA-256 of the manifest in its canonical form."),
      manifestEntries: required(integer, "How many workloads and connections it has."),
      workloads: required(mapOf(text), "The salted digest of each workload, by its name."),
      connections: required(mapOf(text), "The salted digest of each connection, by its name."),
    },
  },
};

export const functionSpecs: Readonly<Record<string, object>> = Object.fromEntries(
  Object.entries(functions).map(([name, { description, inputs, outputs }]) => [
    `dcx:index:${name}`,
    { description, inputs: specs(inputs), outputs: specs(outputs) },
  ]),
);

/** Object types that functions alone have, by name. */
export const functionTypes: Readonly<Record<string, object>> = {
  Cost: objectType("What something costs.", {
    rate: required(text, "Exactly, as a price: `0.40/h`, `55.5u/block`."),
    costPerBlock: required(text, "Exactly, as a price per block: `55.5u/block`."),
    costPerHour: required(text, "Tokens, rounded up."),
    costPerMonth: required(text, "Tokens in 30 days, rounded up."),
  }),
  Datacenter: objectType("A datacenter that sells capacity.", {
    address: required(text, "Its address."),
    name,
    region: datacenterRegion,
    attributes: required(mapOf(text), "Its attributes."),
    isolation: required(
      text,
      "How it isolates workloads: `container`, `sandbox` or `none`; empty where it says nothing.",
    ),
  }),
  Order: objectType("An order for an infrastructure.", {
    id: required(text, "`<tenant>/<sequence>/<infrastructure>/<generation>`"),
    deploymentId: required(text, id),
    infrastructure: required(text, "Name of the infrastructure."),
    generation: required(integer, "Counts the orders of that infrastructure, from 1 on."),
    state: required(text, "`open`, `matched` or `closed`."),
    region: required(text, "Region that is wanted; empty: any."),
    highest: required(typeNamed("Cost"), "The most that may be paid."),
    offers: required(listOf(typeNamed("Offer")), "Of an open order: the offers so far, the cheapest first."),
    openedHeight: required(integer, "Block in which it was opened."),
    dueHeight: required(integer, "First block in which it may be matched."),
    replaces: required(flag, "Whether it is to replace a lease."),
    reason: optional(text, "Why it was closed."),
  }),
  Offer: objectType("What a datacenter offers.", { datacenter, name, cost }),
  LeaseRecord: objectType("A lease, with what has been paid and is bound for it.", {
    id: required(text, "`<tenant>/<sequence>/<infrastructure>/<generation>`"),
    deploymentId: required(text, id),
    infrastructure: required(text, "Name of the infrastructure."),
    generation: required(integer, "Of the order that it came from."),
    state: required(text, "`active`, `closed` or `broken`."),
    datacenter,
    name,
    region: datacenterRegion,
    attributes: required(mapOf(text), "Attributes of the datacenter when the lease began."),
    cost,
    rentPaid: required(text, "Tokens paid so far."),
    deposit: required(text, "Tokens of the tenant that are bound for rent to come."),
    collateral: required(text, "Tokens that the datacenter has posted."),
    startHeight: required(integer, "Block in which it began."),
    lastConfirmedHeight: required(integer, "Block of the last confirmation by the datacenter."),
    confirmedVersion: optional(text, "The version that serves there, as last confirmed."),
    closedHeight: optional(integer, "Block in which it ended."),
    reason: optional(text, "Why it ended."),
  }),
  Quote: objectType("What an infrastructure would cost.", {
    bids: required(listOf(typeNamed("Bid")), "Who would bid, the cheapest first: that one would get the lease."),
    refusals: required(listOf(typeNamed("Refusal")), "Who would not, and why."),
    cost: optional(typeNamed("Cost"), "Of the cheapest bid."),
    highest: required(typeNamed("Cost"), "At the maximum prices."),
  }),
  Bid: objectType("What a datacenter would ask.", { datacenter, name, region: datacenterRegion, cost }),
  Refusal: objectType("Why a datacenter would not bid.", {
    datacenter,
    name,
    region: datacenterRegion,
    reason: required(
      text,
      "`region`, `attributes`, `not-allowed`, `denied`, `excluded`, `price`, `capacity`, `collateral`, `isolation`, " +
        "`draining`, `refused` or `unreachable`.",
    ),
    message: required(text, "The same as a sentence."),
    cost: optional(typeNamed("Cost"), "With `price`: what it would ask."),
  }),
};
