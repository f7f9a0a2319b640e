export { ConfigurationError, type ConfigurationProblem } from "./configuration/configuration";
export { Reader } from "./configuration/reader";
export { variableOf } from "./configuration/settings";
export { resolveSigner } from "./configuration/signer-settings";
export type { InfrastructureReport, PlanReport } from "./plan/report";
export { type FilePlan, type FilePlanOptions, planFile } from "./planning/plan-file";
