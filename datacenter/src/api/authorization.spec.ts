import {
  Datacenter,
  Deployment,
  Lease,
  LeaseState,
  PeerVerifier,
  QueryDeploymentResponse,
  QueryParametersResponse,
} from "@dcx/protocol";
import pino from "pino";
import type { ChainView } from "../chain/view";
import { Authorization, type Authorized } from "./authorization";

const id = { tenant: "dcx1tenant", sequence: 1n };

/** What the chain shows: a view has the deployments alone of which this datacenter has an active lease. */
function view(changes: Partial<Deployment> | "moved away", height = 10n): ChainView {
  const answer = QueryDeploymentResponse.fromPartial({
    deployment: { id, ...(changes === "moved away" ? {} : changes) },
    leases: [Lease.fromPartial({ datacenter: "dcx1self", state: LeaseState.ACTIVE })],
    datacenters: [Datacenter.fromPartial({ address: "dcx1self" })],
  });
  return {
    height,
    parameters: QueryParametersResponse.fromPartial({}),
    record: undefined,
    orders: new Map(),
    fulfillments: new Map(),
    leases: new Map(),
    broken: new Map(),
    deployments: new Map(changes === "moved away" ? [] : [["dcx1tenant/1", answer]]),
  };
}

/** What was allowed under one view of the chain, asked about again under another. */
function stillMay(now: ChainView | undefined, account: string): boolean {
  const authorization = new Authorization({
    chainId: "dcx-test",
    datacenter: "dcx1self",
    verifier: new PeerVerifier(),
    view: () => now,
    isFresh: async () => true,
    refresh: async () => undefined,
    logger: pino({ level: "silent" }),
  });
  const authorized: Authorized = {
    ...id,
    caller: { kind: "account", account },
    deployment: "dcx1tenant/1",
    held: true,
  };
  return authorization.stillMay(authorized);
}

const managers = Deployment.fromPartial({
  managers: [{ address: "dcx1manager" }, { address: "dcx1bounded", limits: { endHeight: 20n } }],
}).managers;

describe("what an account was allowed to do", () => {
  it.each([
    ["while the deployment is here", "dcx1tenant", view({}), true],
    ["no more once it has moved away", "dcx1tenant", view("moved away"), false],
    ["while it is a manager", "dcx1manager", view({ managers }), true],
    ["no more once it is none", "dcx1manager", view({}), false],
    ["until its time as a manager ends", "dcx1bounded", view({ managers }, 20n), true],
    ["no more after that", "dcx1bounded", view({ managers }, 21n), false],
    ["while the chain can't be seen: what runs goes on", "dcx1tenant", undefined, true],
  ])("it still may %s", (_when, account, now, may) => {
    expect(stillMay(now, account)).toBe(may);
  });
});
