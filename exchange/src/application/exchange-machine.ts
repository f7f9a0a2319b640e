import {
  applyMessage,
  beginBlock,
  endBlock,
  facilitatorPart,
  hasReservedPlace,
  initializeGenesis,
  requiredSigners,
  validatorSet,
} from "../state/machine";
import type { StateMachine } from "./state-machine";

/** The exchange's own state machine. */
export const exchangeMachine: StateMachine = {
  initializeGenesis,
  validatorSet,
  beginBlock,
  endBlock,
  facilitatorPart,
  applyMessage,
  requiredSigners,
  hasReservedPlace,
};
