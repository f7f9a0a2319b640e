import {
  type Datacenter,
  type Deployment,
  DeploymentState,
  type Fulfillment,
  formatRatePerHour,
  formatTokens,
  type Lease,
  LeaseState,
  type Order,
  OrderState,
  pages,
} from "@dcx/protocol";
import { Command } from "commander";
import { findDeployment } from "../connection/deployment-argument";
import { type ConnectionOptions, connect, endpointOption, keyFileOption, tenantAddress } from "../connection/exchange";
import { CommandFailure } from "../output/failure";
import { toJson, toTable } from "../output/print";

type LookOptions = ConnectionOptions & { readonly json?: true };

/** Commands that show what is on an exchange: tables for people, `--json` for programs. */
export function lookCommands(): readonly Command[] {
  return [deployments(), leases(), orders(), datacenters(), transaction()];
}

function look(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(endpointOption())
    .addOption(keyFileOption())
    .option("--json", "print the result for programs");
}

function deployments(): Command {
  return look("deployments", "your active deployments")
    .option("--tenant <address>", "another tenant's")
    .option("--all", "of all tenants")
    .action(async (options: LookOptions & { tenant?: string; all?: true }) => {
      using client = await connect(options);
      const tenant = options.all ? "" : (options.tenant ?? (await tenantAddress(options, client)) ?? "");
      const found: Deployment[] = [];
      const request = { tenant, state: DeploymentState.ACTIVE };
      for await (const item of pages(
        (page) => client.deployments({ ...request, page }),
        (answer) => answer.deployments,
      )) {
        found.push(item);
      }
      print(options, found, () =>
        toTable(
          found,
          [
            { title: "deployment", value: ({ id }) => `${id?.tenant}/${id?.sequence}` },
            { title: "revision", value: ({ revision }) => String(revision), align: "right" },
            {
              title: "infrastructures",
              value: (item) => item.infrastructures.map(({ terms }) => terms?.name).join(", "),
            },
            { title: "version", value: ({ version }) => Buffer.from(version).toString("hex").slice(0, 12) },
            { title: "since block", value: ({ createdHeight }) => String(createdHeight), align: "right" },
          ],
          "no active deployments",
        ),
      );
    });
}

function leases(): Command {
  return look("leases", "the leases of a deployment")
    .argument("[deployment]", "<tenant>/<sequence>, or the sequence of one of yours")
    .action(async (argument: string | undefined, options: LookOptions) => {
      using client = await connect(options);
      const id = await findDeployment(client, () => tenantAddress(options, client), argument);
      const [answer, parameters] = await Promise.all([client.deployment(id), client.parameters()]);
      const interval = parameters.parameters?.blockInterval ?? 0n;
      print(options, answer.leases, () =>
        toTable<Lease>(
          answer.leases,
          [
            { title: "infrastructure", value: (lease) => `${lease.id?.infrastructure}/${lease.id?.generation}` },
            { title: "state", value: (lease) => LeaseState[lease.state].toLowerCase() },
            { title: "region", value: (lease) => lease.region },
            { title: "datacenter", value: (lease) => lease.datacenter },
            { title: "price", value: (lease) => formatRatePerHour(BigInt(lease.rate), interval), align: "right" },
            { title: "rent paid", value: (lease) => formatTokens(lease.rentPaid), align: "right" },
            { title: "deposit", value: (lease) => formatTokens(lease.deposit), align: "right" },
            { title: "confirmed at", value: (lease) => String(lease.lastConfirmedHeight), align: "right" },
          ],
          "no leases",
        ),
      );
    });
}

function orders(): Command {
  return look("orders", "open orders, of a deployment or of all")
    .argument("[deployment]", "<tenant>/<sequence>, or the sequence of one of yours; absent: all open orders")
    .action(async (argument: string | undefined, options: LookOptions) => {
      using client = await connect(options);
      const deployment =
        argument === undefined
          ? undefined
          : await findDeployment(client, () => tenantAddress(options, client), argument);
      const found: Order[] = [];
      for await (const item of pages(
        (page) => client.orders({ state: OrderState.OPEN, ...(deployment === undefined ? {} : { deployment }), page }),
        (answer) => answer.orders,
      )) {
        found.push(item);
      }
      const bids = new Map<Order, readonly Fulfillment[]>();
      for (const order of found) {
        bids.set(order, order.id === undefined ? [] : (await client.order(order.id)).fulfillments);
      }
      print(options, found, () =>
        toTable(
          found,
          [
            {
              title: "order",
              value: ({ id }) => `${id?.tenant}/${id?.sequence}/${id?.infrastructure}/${id?.generation}`,
            },
            { title: "region", value: ({ terms }) => terms?.region || "any" },
            { title: "bids", value: (order) => String(bids.get(order)?.length ?? 0), align: "right" },
            { title: "matched from block", value: ({ dueHeight }) => String(dueHeight), align: "right" },
          ],
          "no open orders",
        ),
      );
    });
}

function datacenters(): Command {
  return look("datacenters", "the datacenters that sell capacity")
    .option("--region <region>", "in this region only")
    .action(async (options: LookOptions & { region?: string }) => {
      using client = await connect(options);
      const found: Datacenter[] = [];
      const request = options.region === undefined ? {} : { region: options.region };
      for await (const item of pages(
        (page) => client.datacenters({ ...request, page }),
        (answer) => answer.datacenters,
      )) {
        found.push(item);
      }
      print(options, found, () =>
        toTable(
          found,
          [
            { title: "datacenter", value: ({ address }) => address },
            { title: "region", value: ({ region }) => region },
            {
              title: "attributes",
              value: (item) => item.attributes.map(({ key, value }) => `${key}=${value}`).join(" "),
            },
            { title: "agent", value: ({ agentUrls }) => agentUrls.join(" ") },
          ],
          "no datacenters",
        ),
      );
    });
}

function transaction(): Command {
  return look("tx", "a transaction by its hash")
    .argument("<hash>", "64 hexadecimal digits")
    .action(async (hash: string, options: LookOptions) => {
      using client = await connect(options);
      const found = await client.transaction(hash);
      if (found === undefined) {
        throw new CommandFailure(`Transaction ${hash} is in no block that this node knows.`);
      }
      print(options, found, () =>
        [
          `transaction ${found.hash}`,
          `block       ${found.height}, place ${found.index}`,
          `result      ${found.abciCode === 0 ? "succeeded" : `failed: ${found.log} (${found.codespace} ${found.abciCode})`}`,
          `gas         ${found.gasUsed} of ${found.gasWanted}`,
          ...found.events.map((event) => `event       ${toJson(event).replace(/\s+/g, " ")}`),
        ].join("\n"),
      );
    });
}

function print(options: LookOptions, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? toJson(value) : text()}\n`);
}
