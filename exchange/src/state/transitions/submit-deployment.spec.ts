import { ExchangeErrorCode, OrderState } from "@dcx/protocol";
import { Branch } from "../branch";
import { tables } from "../keys";
import { messages } from "../testing/messages";
import { addressOf, bytesOf } from "../testing/names";
import { orderOf, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({ accounts: { alice: 10_000n, bob: 10_000n } });
}

const message = {
  tenant: addressOf("alice"),
  infrastructures: [terms("west")],
  waitDuration: 3n,
  version: bytesOf("v1"),
  manifestEntries: 2,
  nonce: bytesOf("nonce"),
  clientToken: bytesOf("token"),
  managers: [],
};

describe("SubmitDeployment", () => {
  test("opens an order for each infrastructure, due when the wait is over", () => {
    const exchange = world();
    const id = exchange.deploy("alice", [terms("west"), terms("east")], { waitDuration: 3n });
    for (const name of ["east", "west"])
      expect(exchange.order(orderOf(id, name))).toMatchObject({
        state: OrderState.OPEN,
        openedHeight: 1n,
        dueHeight: 4n,
        replacesGeneration: 0,
      });
    expect(exchange.deployment(id)).toMatchObject({ revision: 1n, incarnation: 1n });
    expect(exchange.deployment(id).infrastructures.map((one) => one.terms?.name)).toEqual(["east", "west"]);
  });

  test("writes the deployment's record once, however many infrastructures it has", () => {
    const exchange = world();
    const infrastructures = Array.from({ length: 32 }, (_, index) => terms(`i${index}`));
    const set = jest.spyOn(Branch.prototype, "set");
    const { id } = exchange.run(messages.submitDeployment, { ...message, infrastructures });
    const writes = set.mock.calls.filter(([key]) => key.startsWith(tables.deployment));
    set.mockRestore();
    // By the transition, and as the transaction's changes enter the block.
    expect(writes).toHaveLength(2);
    expect(id && exchange.deployment(id).infrastructures.map(({ generation }) => generation)).toEqual(
      infrastructures.map(() => 1),
    );
  });

  test("counts each tenant's deployments from 1", () => {
    const exchange = world();
    expect(exchange.deploy("alice", [], { clientToken: bytesOf("a") }).sequence).toBe(1n);
    expect(exchange.deploy("alice", [], { clientToken: bytesOf("b") }).sequence).toBe(2n);
    expect(exchange.deploy("bob", []).sequence).toBe(1n);
  });

  test("with the token of an active deployment raises its incarnation and ignores every other field", () => {
    const exchange = world();
    const first = exchange.run(messages.submitDeployment, message);
    const again = exchange.run(messages.submitDeployment, {
      ...message,
      infrastructures: [terms("not a name!")],
      version: new Uint8Array(1),
      waitDuration: 10n ** 15n,
    });
    expect(first).toMatchObject({ existed: false, incarnation: 1n });
    expect(again).toMatchObject({ id: first.id, existed: true, incarnation: 2n, revision: 1n });
    expect(exchange.run(messages.submitDeployment, { ...message, tenant: addressOf("bob") }).existed).toBe(false);
  });

  test("with the token of a cancelled deployment makes a new one", () => {
    const exchange = world();
    const { id } = exchange.run(messages.submitDeployment, message);
    if (id !== undefined) exchange.cancel("alice", id);
    expect(exchange.run(messages.submitDeployment, message)).toMatchObject({ existed: false, id: { sequence: 2n } });
  });

  const group = terms("west").resources[0];
  test.each([
    ["a version that is not 32 bytes", { version: new Uint8Array(31) }],
    ["a nonce that is not 32 bytes", { nonce: new Uint8Array(0) }],
    ["a token that is not 32 bytes", { clientToken: new Uint8Array(33) }],
    ["a wait beyond the most", { waitDuration: 11n }],
    ["a name with a zero byte", { infrastructures: [terms("we\0st")] }],
    ["a name twice", { infrastructures: [terms("west"), terms("west")] }],
    ["no resources", { infrastructures: [{ ...terms("west"), resources: [] }] }],
    [
      "a negative price",
      { infrastructures: [{ ...terms("west"), resources: group ? [{ ...group, price: "-1" }] : [] }] },
    ],
    ["a count of none", { infrastructures: [{ ...terms("west"), resources: group ? [{ ...group, count: 0 }] : [] }] }],
    [
      "an attribute twice",
      {
        infrastructures: [
          terms("west", {
            attributes: [
              { key: "a", value: "1" },
              { key: "a", value: "2" },
            ],
          }),
        ],
      },
    ],
    ["collateral beyond the supply", { infrastructures: [terms("west", { collateral: 2n ** 63n })] }],
  ])("refuses %s", (_what, change) => {
    const exchange = world();
    expect(refusal(() => exchange.run(messages.submitDeployment, { ...message, ...change }))).toBe(
      ExchangeErrorCode.InvalidMessage,
    );
  });

  test("refuses an address of another chain, and more infrastructures than the most", () => {
    const exchange = world();
    const foreign = "cosmos1cyyzpxplxdzkeea7kwsydadg87357qnahakaks";
    expect(refusal(() => exchange.run(messages.submitDeployment, { ...message, tenant: foreign }))).toBe(
      ExchangeErrorCode.InvalidAddress,
    );
    const many = Array.from({ length: 33 }, (_, index) => terms(`i${index}`));
    expect(refusal(() => exchange.run(messages.submitDeployment, { ...message, infrastructures: many }))).toBe(
      ExchangeErrorCode.LimitExceeded,
    );
  });
});
