import {
  applyMessage,
  beginBlock,
  facilitatorPart,
  hasReservedPlace,
  initializeGenesis,
  requiredSigners,
} from "../state/machine";
import type { StateMachine } from "./state-machine";

/** The exchange's own state machine. */
export const exchangeMachine: StateMachine = {
  initializeGenesis,
  beginBlock,
  facilitatorPart,
  applyMessage,
  requiredSigners,
  hasReservedPlace,
};
