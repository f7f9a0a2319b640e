import {
  either,
  flag,
  integer,
  listOf,
  mapOf,
  number,
  objectType,
  optional,
  type Properties,
  quantity,
  required,
  text,
  typeNamed,
} from "./build";

const compute: Properties = {
  cpu: optional(quantity, 'Virtual CPUs: `0.5`, `"500m"`.'),
  memory: optional(quantity, 'Bytes: `"512Mi"`, `"1Gi"`.'),
  disk: optional(quantity, 'Bytes: `"1Gi"`.'),
  gpu: optional(either(number, typeNamed("Gpu")), "Graphics processors: how many, or with vendor and model."),
};

const workload: Properties = {
  infrastructure: required(text, "Name of the infrastructure of the deployment that it is placed in."),
  container: required(
    either(text, typeNamed("Container")),
    "The image by tag or digest, or an object with the image and the credentials of its registry.",
  ),
  command: optional(listOf(text), "Replaces the image's entry point."),
  arguments: optional(listOf(text), "Replaces the image's arguments."),
  environment: optional(
    mapOf(text),
    "Environment variables. Every datacenter with a lease of the deployment can read them.",
  ),
  ports: optional(listOf(integer), "TCP ports that it listens on."),
  healthCheck: optional(
    typeNamed("HealthCheck"),
    "When an instance counts as ready. Without: running for some seconds.",
  ),
  volumes: optional(mapOf(typeNamed("Volume")), "Disks that outlive the instance, but not its lease, by name."),
  compute: optional(typeNamed("Compute"), "What one instance uses at most. Without: the whole of its slot."),
  group: optional(integer, "Index of the resource group whose slots it takes. Without: the smallest that fits."),
  count: optional(integer, "Instances. Without: 1."),
  egress: optional(listOf(typeNamed("Egress")), "What it may connect to beyond its connections. Without: nothing."),
};

const connection: Properties = {
  to: required(text, "Name of the workload that may be reached."),
  port: required(integer, "TCP port of that workload."),
  from: required(typeNamed("Source"), "Who may reach it."),
};

/** Fields that a workload and a connection have inline and as resources of their own. */
export const workloadProperties = workload;
export const connectionProperties = connection;

/** Object types by name. */
export const types: Readonly<Record<string, object>> = {
  Infrastructure: objectType("A named part of a deployment that is leased as a whole in one datacenter.", {
    region: optional(text, "Region of the datacenter. Without: any."),
    attributes: optional(
      mapOf(text),
      'Attributes that the datacenter must have, such as `isolation: container`, or `isolated: "true"` for containers or sandboxes.',
    ),
    allowedDatacenters: optional(listOf(text), "Addresses of the only datacenters that may win it."),
    deniedDatacenters: optional(listOf(text), "Addresses of datacenters that may not win it."),
    persist: optional(flag, "Whether a broken lease is ordered again."),
    resources: required(listOf(typeNamed("ResourceGroup")), "What is leased."),
  }),
  ResourceGroup: objectType("A number of equal compute units: each is a slot for one workload instance.", {
    ...compute,
    cpu: required(quantity, 'Virtual CPUs of one unit: `0.5`, `"500m"`.'),
    memory: required(quantity, 'Bytes of one unit: `"512Mi"`, `"1Gi"`.'),
    disk: required(quantity, 'Bytes of one unit: `"1Gi"`.'),
    count: optional(integer, "Units. Without: 1."),
    maxPrice: required(
      quantity,
      'Tokens that one unit may cost at most: `"0.40/h"`, `"20u/block"`; without a period, an hour.',
    ),
    collateral: optional(quantity, "Tokens that the datacenter posts for the whole group. Without: 0."),
  }),
  Gpu: objectType("Graphics processors.", {
    count: required(integer, "How many."),
    vendor: optional(text, "Such as `nvidia`. Without: any."),
    model: optional(text, "Such as `h100`. Without: any."),
  }),
  Manager: objectType("An account that may change the deployment beside its tenant, within limits.", {
    address: required(text, "Address of the account."),
    maxPrice: optional(quantity, "The highest price that it may offer."),
    maxCount: optional(integer, "The most units that it may have in all."),
    regions: optional(listOf(text), "The only regions in which it may order."),
    datacenters: optional(listOf(text), "The only datacenters with which it may lease."),
    mayChangeVersion: optional(flag, "Whether it may change what runs."),
    endHeight: optional(integer, "The block after which it may do nothing more."),
  }),
  InlineWorkload: objectType("A workload declared inline.", workload),
  InlineConnection: objectType("A connection declared inline.", connection),
  Container: objectType("An image and how to get it.", {
    image: required(text, "By tag or digest."),
    credentials: optional(typeNamed("Credentials"), "For a registry that asks for them."),
  }),
  Credentials: objectType("An account of a registry.", {
    username: required(text, "Name of the account."),
    password: required(text, "Its password or token.", { secret: true }),
  }),
  HealthCheck: objectType("Exactly one of `http`, `tcp` and `command`.", {
    http: optional(text, "Path that answers 2xx or 3xx."),
    tcp: optional(flag, "Ready when its port accepts connections."),
    command: optional(listOf(text), "Ready when it exits with 0."),
    port: optional(integer, "For `http` and `tcp`. Without: the workload's first port."),
    interval: optional(quantity, 'Time between two checks: `"5s"`, or seconds. Without: a second.'),
    timeout: optional(quantity, "Time that one check may take. Without: two seconds."),
    retries: optional(integer, "Failures in a row after which an instance is no longer ready. Without: 3."),
  }),
  Volume: objectType("A disk of an instance.", {
    path: required(text, "Where it is mounted."),
    size: required(quantity, 'Bytes: `"1Gi"`.'),
  }),
  Compute: objectType("What one instance uses at most.", compute),
  Egress: objectType("Something outside that a workload may connect to.", {
    to: required(text, "`internet` or `exchange`."),
    addresses: optional(listOf(text), "CIDR blocks. Without: every public address."),
    ports: optional(listOf(integer), "TCP ports. Without: all."),
  }),
  Source: objectType("Exactly one of `workload`, `infrastructure` and `global`.", {
    workload: optional(text, "Name of a workload: it gets a tunnel of its own, also across datacenters."),
    infrastructure: optional(text, "Name of an infrastructure: all workloads of this deployment there."),
    global: optional(flag, "Everyone, at an address that is an output."),
    hosts: optional(listOf(text), "With `global`: host names of the tenant's own, served once the DNS proves it."),
  }),
  Lease: objectType("What an infrastructure has got.", {
    datacenter: required(text, "Address of the datacenter; empty while there is none."),
    rate: required(text, "What it costs, exactly, as a price: `0.40/h`."),
    costPerBlock: required(text, "The same as a price per block: `55.5u/block`."),
    costPerMonth: required(text, "What it costs in 30 days, in tokens."),
    state: required(text, "`active`, `replacing`, `ordered` or `none`."),
  }),
};
