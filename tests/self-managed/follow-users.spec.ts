import { LeaseState } from "@dcx/protocol";
import { z } from "zod";
import { decide } from "../../examples/self-managed/follow-users/decide";
import { expectNothingLeft, expectTokensToAddUp } from "../support/checks";
import { eventually } from "../support/world";
import { selfManaged } from "./self-managed";

jest.setTimeout(300_000);

test("decides for a region where enough clients are, against one where none is, and for what is in between nothing", () => {
  const settings = { regions: ["us-west", "eu"], share: 0.5 };
  expect(decide([], [], settings)).toEqual({ add: [], remove: [] });
  expect(decide([{ "us-west": 5, eu: 4 }], [], settings)).toEqual({ add: ["us-west"], remove: [] });
  expect(decide([{ "us-west": 1, eu: 4 }], ["us-west"], settings)).toEqual({ add: ["eu"], remove: [] });
  expect(decide([{ mars: 9 }, { eu: 1 }], ["us-west"], settings)).toEqual({ add: [], remove: ["us-west"] });
});

/** Asks ten times a second, as from there, until it leaves. */
function clientsFrom(region: string, url: string): { leave(): Promise<void> } {
  let here = true;
  const asking = (async () => {
    while (here) {
      await fetch(url, { headers: { "x-client-region": region } }).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100).unref());
    }
  })();
  return {
    leave: () => {
      here = false;
      return asking;
    },
  };
}

const Site = z.object({ region: z.string() });

test("a management workload leases a site where its clients are, and gives it back when they are gone", async () => {
  const { world, stack, manager } = await selfManaged("follow-users");
  try {
    await stack.up();
    const { url, deployment: text } = await stack.outputs();
    const [, tenant = "", sequence = ""] = String(text).split("/");
    const id = { tenant, sequence: BigInt(sequence) };
    const client = await world.client();
    const ask = async (address: unknown): Promise<string> =>
      Site.parse(await (await fetch(String(address))).json()).region;
    const leases = async () => (await client.leases({ state: LeaseState.ACTIVE, deployment: id })).leases;
    const addressIn = async (region: string): Promise<string | undefined> => {
      const status = Status.parse(JSON.parse(await world.dcx("status", sequence, "--json")));
      return status.connections.find(({ name, address }) => name === `public-${region}` && address !== undefined)
        ?.address;
    };

    const west = clientsFrom("us-west", String(url));
    const near = await eventually("the clients of us-west have a site of their own", 120_000, async () => {
      const address = await addressIn("us-west");
      return address !== undefined && (await ask(address)) === "us-west" && address;
    });
    expect(near).not.toBe(url);
    expect((await leases()).map(({ region }) => region).sort()).toEqual(["us-east", "us-west"]);
    const { deployment } = await client.deployment(id);
    expect(deployment?.infrastructures.map(({ terms, declaredBy }) => [terms?.name, declaredBy])).toEqual([
      ["home", tenant],
      ["site-us-west", manager],
    ]);
    // What a manager adds within its limits is no drift.
    expect((await stack.preview()).steps).toEqual([]);

    await west.leave();
    await eventually("the site is given back", 120_000, async () => (await leases()).length === 1);
    expect(await ask(url)).toBe("us-east");
    expect((await stack.preview()).steps).toEqual([]);
    await expectTokensToAddUp(world);
    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

const Status = z.looseObject({
  connections: z.array(z.looseObject({ name: z.string(), address: z.string().optional() })),
});
