import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { OwnHosts } from "./own-hosts";
import { RememberedHosts } from "./remembered-hosts";

const folder = mkdtempSync(join(tmpdir(), "dcx-own-hosts-"));
beforeAll(() => jest.useFakeTimers());
afterAll(() => {
  jest.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const hosts = ["a.example", "b.example"];
const connections = ["one/1", "one/2", "two/1"].map((deployment) => `${deployment}/connections/public`);
const tenants = ["one", "two"];

const step = fc.oneof(
  fc.record({
    kind: fc.constant("declare" as const),
    connection: fc.constantFrom(...connections),
    hosts: fc.subarray(hosts),
  }),
  fc.record({
    kind: fc.constant("records" as const),
    host: fc.constantFrom(...hosts),
    answer: fc.oneof(fc.subarray(tenants), fc.constant("failing" as const)),
  }),
  fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.integer({ min: 0, max: 3_000 }) }),
);

it("whatever happens, one at most has a name, who declares it; and in the end one whom the DNS names, where there is one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const declared = new Map<string, readonly string[]>();
      const dns = new Map<string, readonly string[] | "failing">();
      const routes = new Map<string, string>();
      const own = new OwnHosts({
        chainId: "test-1",
        domain: "apps.example",
        dns: {
          lookup: async (name) => {
            const answer = dns.get(name.replace("_dcx-challenge.", "")) ?? [];
            return answer === "failing" ? { failure: "ESERVFAIL" } : { records: answer };
          },
          close: () => undefined,
        },
        recheck: 1_000,
        expiry: 10_000,
        remembered: new RememberedHosts(mkdtempSync(join(folder, "home-"))),
        logger: { debug: () => undefined, info: () => undefined, warn: () => undefined },
        onHolder: (host, holder) => (holder === undefined ? routes.delete(host) : routes.set(host, holder)),
        onChange: () => undefined,
      });
      const wants = (connection: string, host: string) => declared.get(connection)?.includes(host) === true;
      const served = (host: string) =>
        connections.filter((connection) => own.status(connection)?.[host]?.served === true);
      const check = () => {
        for (const host of hosts) {
          const holder = routes.get(host);
          expect(served(host)).toEqual(holder === undefined ? [] : [holder]);
          if (holder !== undefined) expect(wants(holder, host)).toBe(true);
        }
      };
      for (const each of steps) {
        if (each.kind === "declare") {
          declared.set(each.connection, each.hosts);
          own.set(each.connection, each.hosts);
        } else if (each.kind === "records") dns.set(each.host, each.answer);
        else await jest.advanceTimersByTimeAsync(each.milliseconds);
        check();
      }
      // Longer than any proof counts while the DNS does not answer.
      await jest.advanceTimersByTimeAsync(15_000);
      check();
      for (const host of hosts) {
        const answer = dns.get(host) ?? [];
        const named = connections.filter(
          (connection) =>
            wants(connection, host) &&
            answer !== "failing" &&
            answer.some((tenant) => connection.startsWith(`${tenant}/`)),
        );
        if (named.length === 0) expect(routes.get(host)).toBeUndefined();
        else expect(named).toContain(routes.get(host));
      }
      own.close();
    }),
    { numRuns: 200 },
  );
});
