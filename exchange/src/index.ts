export { Application, type ApplicationLog, type ApplicationOptions, FacilitatorMismatch } from "./application";
export { type DefaultGenesisOptions, defaultGenesis } from "./application/default-genesis";
export { exchangeMachine } from "./application/exchange-machine";
export { exchangeQueries } from "./application/exchange-queries";
export { consensusKeyFile, encryptConsensusKey } from "./distributed/consensus-key-file";
export {
  type DistributedNode,
  type DistributedNodeOptions,
  newestBlock,
  startDistributedNode,
} from "./distributed/distributed-node";
export {
  distributedGenesis,
  engineHome,
  evidenceBlocks,
  type GenesisValidator,
  initializeEngine,
  installGenesis,
  isDistributed,
  type NodeIdentity,
  withValidators,
} from "./distributed/engine-home";
export type { ClientInterfaces, ClientUrls, ListenOptions } from "./gateway/serve-clients";
export { BlockStore } from "./node/block-store";
export { checkHome } from "./node/check-home";
export { Chain } from "./node/consensus/chain";
export { loadOrCreateValidatorKey } from "./node/consensus/validator-key";
export { type EmbeddedNode, type EmbeddedNodeOptions, startEmbeddedNode } from "./node/embedded-node";
export { Branch } from "./state/branch";
export * from "./state/machine";
export { MemoryStore } from "./state/memory-store";
export type { KeyValueReader, KeyValueStore, RangeOptions } from "./state/store";
export { StateDatabase } from "./storage";
