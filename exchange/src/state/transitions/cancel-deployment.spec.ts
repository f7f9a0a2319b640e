import { DeploymentState, ExchangeErrorCode, OrderState } from "@dcx/protocol";
import { messages } from "../testing/messages";
import { addressOf, bytesOf } from "../testing/names";
import { orderOf, refusal, terms, World } from "../testing/world";

describe("CancelDeployment", () => {
  test("closes orders and leases, and everybody has back what was held", () => {
    const exchange = new World({ accounts: { alice: 10_000n }, datacenters: { sierra: { region: "us-west" } } });
    const id = exchange.deploy("alice", [terms("west"), terms("east")]);
    exchange.bid("sierra", orderOf(id, "west"));
    exchange.blocks();
    exchange.bid("sierra", orderOf(id, "east"));
    exchange.cancel("alice", id);
    expect(exchange.balance("alice")).toBe(10_000n);
    expect(exchange.balance("sierra")).toBe(100_000n);
    expect(exchange.order(orderOf(id, "east"))?.state).toBe(OrderState.CLOSED);
    expect(exchange.deployment(id)).toMatchObject({ state: DeploymentState.CANCELLED, closedHeight: 2n });
    expect(refusal(() => exchange.cancel("alice", id))).toBe(ExchangeErrorCode.DeploymentNotActive);
  });

  test("names the incarnation: one that was adopted since stays", () => {
    const exchange = new World({ accounts: { alice: 10_000n } });
    const clientToken = bytesOf("token");
    const id = exchange.deploy("alice", [], { clientToken });
    exchange.deploy("alice", [], { clientToken });
    const cancel = { tenant: addressOf("alice"), id, incarnation: 1n };
    expect(refusal(() => exchange.run(messages.cancelDeployment, cancel))).toBe(ExchangeErrorCode.IncarnationMismatch);
    exchange.run(messages.cancelDeployment, { ...cancel, incarnation: 2n });
    expect(exchange.deployment(id).state).toBe(DeploymentState.CANCELLED);
  });

  test("is its tenant's alone", () => {
    const exchange = new World({ accounts: { alice: 10_000n, mia: 1n } });
    const id = exchange.deploy("alice", [], { managers: [{ address: addressOf("mia"), limits: undefined }] });
    expect(refusal(() => exchange.cancel("mia", id))).toBe(ExchangeErrorCode.Unauthorized);
  });
});
