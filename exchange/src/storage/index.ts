export { proofType } from "./proof";
export { type CommittedBlock, type PreparedBlock, StateDatabase, type StateDatabaseOptions } from "./state-database";
