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

/** As the feegrant module of the Cosmos SDK emits them. Values are plain text there. */
export function feeGrantChanged(
  type: "set_feegrant" | "use_feegrant" | "revoke_feegrant",
  { granter, grantee }: { readonly granter: string; readonly grantee: string },
): Event {
  const attributes = [
    { key: "granter", value: granter },
    { key: "grantee", value: grantee },
  ];
  return { type, attributes };
}

/** As the bank module of the Cosmos SDK emits it: explorers and wallets look for it. Values are plain text there. */
export function transferred(sender: string, recipient: string, amount: string): Event {
  return {
    type: "transfer",
    attributes: [
      { key: "recipient", value: recipient },
      { key: "sender", value: sender },
      { key: "amount", value: amount },
    ],
  };
}
