export { type CheckFinding, checkDatacenter } from "./check";
export {
  ConfigurationError,
  DatacenterConfiguration,
  type DatacenterConfigurationInput,
  datacenterConfigurationSchema,
  parseConfiguration,
  readDatacenterConfiguration,
} from "./configuration";
export { ControlClient, NoAgent } from "./control/client";
export type { ControlStatus } from "./control/protocol";
export { type Datacenter, type DatacenterOptions, startDatacenter } from "./datacenter";
export type { Overlay, OverlayLogger, WantedConnections } from "./overlay/overlay";
export { startOverlay } from "./overlay/start";
export { purgeDatacenter } from "./purge";
export { HealthMonitor } from "./reconcile/health";
export { NamespaceNetwork } from "./runtime/namespace-network";
export { openRuntime, type RuntimeOptions } from "./runtime/open";
export { programCommand } from "./runtime/programs";
export { type Redirection, redirect } from "./runtime/redirect";
export type { InstanceSpecification, Runtime } from "./runtime/runtime";
