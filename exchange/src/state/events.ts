import {
  closeReasonToJSON,
  type Deployment,
  DeploymentId,
  deploymentStateToJSON,
  type Fulfillment,
  FulfillmentId,
  fulfillmentStateToJSON,
  type Lease,
  leaseStateToJSON,
  type Order,
  OrderId,
  orderStateToJSON,
} from "@dcx/protocol";
import type { Event } from "./context";
import { fulfillmentIdOf, orderIdOf, present } from "./records";

/** Events of events.proto: every field is an attribute, with a JSON value, in the order of the definition. */
function typed(name: string, fields: Readonly<Record<string, unknown>>): Event {
  return {
    type: `dcx.exchange.v1.${name}`,
    attributes: Object.entries(fields).map(([key, value]) => ({ key, value: JSON.stringify(value) })),
  };
}

export function deploymentChanged(deployment: Deployment, by: string): Event {
  return typed("EventDeploymentChanged", {
    deployment: DeploymentId.toJSON(present(deployment.id, "id of a deployment")),
    state: deploymentStateToJSON(deployment.state),
    revision: deployment.revision.toString(),
    version: Buffer.from(deployment.version).toString("hex"),
    by,
  });
}

export function orderChanged(order: Order): Event {
  return typed("EventOrderChanged", {
    order: OrderId.toJSON(orderIdOf(order)),
    state: orderStateToJSON(order.state),
    reason: closeReasonToJSON(order.closeReason),
    region: order.terms?.region ?? "",
  });
}

export function fulfillmentChanged(fulfillment: Fulfillment): Event {
  return typed("EventFulfillmentChanged", {
    fulfillment: FulfillmentId.toJSON(fulfillmentIdOf(fulfillment)),
    state: fulfillmentStateToJSON(fulfillment.state),
    datacenter: fulfillment.datacenter,
  });
}

export function leaseChanged(lease: Lease): Event {
  return typed("EventLeaseChanged", {
    lease: OrderId.toJSON(orderIdOf(lease)),
    state: leaseStateToJSON(lease.state),
    reason: closeReasonToJSON(lease.closeReason),
    datacenter: lease.datacenter,
  });
}

export function datacenterChanged(datacenter: string): Event {
  return typed("EventDatacenterChanged", { datacenter });
}

/** By the vote on a proposal. */
export function parametersChanged(proposal: bigint): Event {
  return typed("EventParametersChanged", { proposal: proposal.toString() });
}

/** An event as modules of the Cosmos SDK emit them: values are plain text there. */
function plain(type: string, fields: Readonly<Record<string, string>>): Event {
  return { type, attributes: Object.entries(fields).map(([key, value]) => ({ key, value })) };
}

/** What happened to stake, as the staking, slashing and distribution modules of the Cosmos SDK name it. */
export function stakeChanged(
  type:
    | "create_validator"
    | "edit_validator"
    | "delegate"
    | "unbond"
    | "complete_unbonding"
    | "redelegate"
    | "complete_redelegation"
    | "withdraw_rewards"
    | "withdraw_commission"
    | "slash"
    | "jail"
    | "unjail",
  fields: Readonly<Record<string, string>>,
): Event {
  return plain(type, fields);
}

/** What became of a proposal, as the gov module of the Cosmos SDK names it. */
export function proposalChanged(
  type: "submit_proposal" | "proposal_vote" | "active_proposal",
  fields: Readonly<Record<string, string>>,
): Event {
  return plain(type, fields);
}

/** As the feegrant module of the Cosmos SDK emits them. */
export function feeGrantChanged(
  type: "set_feegrant" | "use_feegrant" | "revoke_feegrant",
  { granter, grantee }: { readonly granter: string; readonly grantee: string },
): Event {
  return plain(type, { granter, grantee });
}

/** As the bank module of the Cosmos SDK emits it: explorers and wallets look for it. */
export function transferred(sender: string, recipient: string, amount: string): Event {
  return plain("transfer", { recipient, sender, amount });
}
