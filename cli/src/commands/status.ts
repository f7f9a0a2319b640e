import type { ConnectionStatus, DeploymentStatus, WorkloadStatus } from "@dcx/protocol";
import { Command } from "commander";
import { findDeployment } from "../connection/deployment-argument";
import {
  type ConnectionOptions,
  connect,
  endpointOption,
  keyFileOption,
  tenantAddress,
  tenantSigner,
} from "../connection/exchange";
import { agentOf, holdersOf } from "../connection/holders";
import { toJson, toTable } from "../output/print";

interface HolderStatus {
  readonly datacenter: string;
  readonly region: string;
  readonly status: DeploymentStatus | undefined;
  readonly failure: string | undefined;
}

/** `dcx status`: what runs of a deployment, as its datacenters report it. */
export function statusCommand(): Command {
  return new Command("status")
    .description("what runs of a deployment: instances, their state, connections and addresses")
    .argument("[deployment]", "<tenant>/<sequence>, or the sequence of one of yours")
    .addOption(endpointOption())
    .addOption(keyFileOption())
    .option("--json", "print the result for programs")
    .action(async (argument: string | undefined, options: ConnectionOptions & { readonly json?: true }) => {
      using client = await connect(options);
      const id = await findDeployment(client, () => tenantAddress(options, client), argument);
      const signer = await tenantSigner(options, (await client.parameters()).addressPrefix);
      const holders = await Promise.all(
        (await holdersOf(client, id)).map(async (holder): Promise<HolderStatus> => {
          await using agent = agentOf(client, holder, signer);
          const about = { datacenter: holder.address, region: holder.region };
          return agent.status(id).then(
            (status) => ({ ...about, status, failure: undefined }),
            (error: unknown) => ({ ...about, status: undefined, failure: String(error) }),
          );
        }),
      );
      process.stdout.write(`${options.json ? toJson(merge(holders)) : toText(holders)}\n`);
      process.exitCode = holders.every(({ failure }) => failure === undefined) ? 0 : 1;
    });
}

function merge(holders: readonly HolderStatus[]): unknown {
  return {
    holders,
    workloads: Object.assign({}, ...holders.map(({ status }) => status?.workloads ?? {})) as Record<
      string,
      WorkloadStatus
    >,
    connections: holders.flatMap(({ datacenter, status }) =>
      Object.entries(status?.connections ?? {}).map(([name, connection]) => ({ name, datacenter, ...connection })),
    ),
  };
}

function toText(holders: readonly HolderStatus[]): string {
  return holders
    .map(({ datacenter, region, status, failure }) => {
      const head = `${datacenter}  ${region}`;
      if (status === undefined) {
        return `${head}\n  does not answer: ${failure}`;
      }
      const instances = Object.entries(status.workloads).flatMap(([name, workload]) =>
        workload.instances.map((instance) => ({ name, ...instance })),
      );
      return [
        head,
        toTable(
          instances,
          [
            { title: "instance", value: ({ name, index }) => `${name}/${index}` },
            { title: "state", value: ({ state }) => state },
            { title: "restarts", value: ({ restarts }) => String(restarts), align: "right" },
            { title: "", value: ({ message }) => message ?? "" },
          ],
          "nothing runs here",
        ),
        ...Object.entries(status.connections).flatMap(([name, connection]) => [
          `${name}: ${describe(connection)}`,
          ...Object.entries(connection.hosts ?? {}).map(([host, { served, message }]) =>
            served ? `  ${host}: served` : `  ${host}: not served: ${message ?? "no reason is known"}`,
          ),
        ]),
      ].join("\n");
    })
    .join("\n\n");
}

function describe({ role, established, address, rawAddress, message }: ConnectionStatus): string {
  const port = rawAddress === undefined ? undefined : `without TLS at ${rawAddress}`;
  return [role, established ? "established" : "not established", address, port, message].filter(Boolean).join(", ");
}
