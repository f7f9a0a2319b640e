export { proofType } from "./proof";
export { Restoration } from "./restoration";
export { type CommittedBlock, type PreparedBlock, StateDatabase, type StateDatabaseOptions } from "./state-database";
