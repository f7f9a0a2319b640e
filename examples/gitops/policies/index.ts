import { PolicyPack, type ReportViolation, type ResourceValidationArgs } from "@pulumi/policy";
import { type DeploymentInputs, movingImage, pricesAbove, regionsBeyond, unboundedCost } from "./rules";

const deployment = "dcx:index:Deployment";
const workload = "dcx:index:Workload";

/** Reports every sentence that a rule has about a Deployment. */
function ofDeployment<Config extends object>(rule: (inputs: DeploymentInputs, config: Config) => readonly string[]) {
  return (args: ResourceValidationArgs, report: ReportViolation): void => {
    if (args.type === deployment) {
      for (const problem of rule(args.props, args.getConfig<Config>())) {
        report(problem);
      }
    }
  };
}

new PolicyPack("dcx", {
  enforcementLevel: "mandatory",
  policies: [
    {
      name: "highest-price",
      description: "No compute unit may cost more than so many tokens an hour.",
      configSchema: {
        properties: {
          tokensPerHour: { type: "number", minimum: 0, default: 1 },
          // Prices per block can only be compared by who knows how long a block takes.
          blockSeconds: { type: "number", exclusiveMinimum: 0 },
        },
      },
      validateResource: ofDeployment<{ tokensPerHour: number; blockSeconds?: number }>(
        (inputs, { tokensPerHour, blockSeconds }) => pricesAbove(inputs, tokensPerHour, blockSeconds),
      ),
    },
    {
      name: "allowed-regions",
      description: "Every infrastructure is leased in one of these regions.",
      configSchema: {
        properties: { regions: { type: "array", items: { type: "string" }, default: ["us-east", "us-west"] } },
      },
      validateResource: ofDeployment<{ regions: string[] }>((inputs, { regions }) => regionsBeyond(inputs, regions)),
    },
    {
      name: "no-latest-image",
      description: "What runs changes only with the program: no image without a version or a digest.",
      validateResource: (args, report) => {
        const workloads =
          args.type === workload
            ? { [args.name]: args.props }
            : args.type === deployment
              ? ((args.props as DeploymentInputs).workloads ?? {})
              : {};
        for (const problem of Object.entries(workloads).flatMap(([name, one]) =>
          movingImage(`Workload ${name}`, one),
        )) {
          report(problem);
        }
      },
    },
    {
      name: "cost-limit",
      description: "Every deployment says what it may cost a month, and no more than so much.",
      configSchema: { properties: { tokensPerMonth: { type: "number", minimum: 0 } } },
      validateResource: ofDeployment<{ tokensPerMonth?: number }>((inputs, { tokensPerMonth }) =>
        unboundedCost(inputs, tokensPerMonth),
      ),
    },
  ],
});
