import type { Deadline } from "../../await/wait";
import type { DeploymentKey } from "../../network/driver";
import type { ValueMap } from "../../wire/value";
import type { CallContext } from "../resource";
import type { Session } from "../session";

/** A create or an update of a deployment that is there. */
export interface Operation {
  readonly session: Session;
  readonly id: string;
  readonly key: DeploymentKey;
  readonly inputs: ValueMap;
  readonly context: CallContext;
  readonly deadline: Deadline;
}
