import { spawnSync } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { agentServerOptions, canonicalManifest, MAX_MANIFEST_PART_BYTES, manifestVersion } from "@dcx/protocol";
import { type FrailLink, frailLink } from "./testing/frail-link";
import { arrived, deployment, type Holder, Holders, type LogLine } from "./testing/holders";
import type { Patience } from "./transfer";

jest.setTimeout(120_000);

/** A manifest of about so many bytes. */
function manifestOf(bytes: number): { readonly text: string; readonly version: string } {
  const environment = Object.fromEntries(
    Array.from({ length: Math.ceil(bytes / 60_000) }, (_, index) => [`FILE_${index}`, `${index % 10}`.repeat(60_000)]),
  );
  const text = canonicalManifest({
    schema: 1,
    salt: "22".repeat(32),
    workloads: { web: { infrastructure: "dc0", container: { image: "example/web:1" }, environment } },
    connections: {},
  });
  return { text, version: Buffer.from(manifestVersion(text)).toString("hex") };
}

const large = manifestOf(5_000_000);
const small = manifestOf(1_000);
const stamps = { "workloads/web": { owner: "o", nonce: "n" } };
const impatience = { window: 1_000, leastBytes: 1_000, slowPart: 10_000, wait: 1_000 };

describe("a manifest on its way between holders", () => {
  let holders: Holders;
  const links: FrailLink[] = [];
  const rogues: Server[] = [];
  afterEach(async () => {
    for (const link of links.splice(0)) await link.close();
    for (const rogue of rogues.splice(0)) {
      rogue.closeAllConnections();
      await new Promise((resolve) => rogue.close(resolve));
    }
    await holders.close();
  });

  /** Two or three datacenters: the first lacks the manifest, the others are started by the test. */
  async function world(count: number, version: string, patience?: Patience): Promise<Holder> {
    holders = await Holders.create(count, version, patience);
    return await holders.start("dcx1dc0");
  }

  async function holding(datacenter: string, { text, version } = large): Promise<Holder> {
    const holder = await holders.start(datacenter);
    holder.store.put(deployment, version, { manifest: text, stamps });
    return holder;
  }

  /** A holder that answers what it likes. */
  async function rogue(
    datacenter: string,
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<void> {
    const server = createServer(agentServerOptions(await holders.leafOf(datacenter)), answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    rogues.push(server);
    holders.publish(datacenter, `https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async function logged(find: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = holders.log.find(find);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it("comes in parts, with the stamps", async () => {
    const here = await world(2, large.version);
    const there = await holding("dcx1dc1");
    here.fetcher.update();
    await arrived(here, large.version);
    expect(here.store.get(deployment, large.version)).toEqual({ manifest: large.text, stamps });
    const parts = Math.ceil(large.text.length / MAX_MANIFEST_PART_BYTES);
    expect(there.asked).toEqual(Array.from({ length: parts }, (_, index) => index * MAX_MANIFEST_PART_BYTES));
    expect(here.home.records.names("part/")).toEqual([]);
  });

  it("goes on where it broke off, with another holder, after a restart", async () => {
    let here = await world(3, large.version);
    const first = await holding("dcx1dc1");
    const link = await frailLink(holders.urlOf("dcx1dc1"), 2_500_000);
    links.push(link);
    holders.publish("dcx1dc1", link.url);
    here.fetcher.update();
    await logged(({ peer, progress }) => peer === "dcx1dc1" && progress === true);
    await here.stop();
    await first.stop();

    const second = await holding("dcx1dc2");
    here = await holders.start("dcx1dc0");
    here.fetcher.update();
    await arrived(here, large.version);
    expect(here.store.get(deployment, large.version)?.manifest).toBe(large.text);
    // TLS and HTTP around it are some thousandths.
    const [resumed] = second.asked;
    expect(resumed).toBeGreaterThan(2_400_000);
  });

  it("takes as long as it takes, as long as something comes", async () => {
    const here = await world(2, large.version);
    // Each connection breaks after a tenth of it: the whole comes in many turns.
    await rogue("dcx1dc1", (request, response) => {
      if (request.url?.endsWith("/stamps")) return void response.end(JSON.stringify(stamps));
      const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0]);
      const bytes = Buffer.from(large.text).subarray(from, from + 500_000);
      response.writeHead(206, { "content-range": `bytes ${from}-${large.text.length - 1}/${large.text.length}` });
      response.write(bytes, () => setTimeout(() => response.destroy(), 50));
    });
    here.fetcher.update();
    await arrived(here, large.version);
    expect(here.store.get(deployment, large.version)?.manifest).toBe(large.text);
  });

  it.each<[string, (text: Buffer) => Buffer]>([
    ["the text of another version", () => Buffer.from(small.text)],
    ["a truncated one", (text) => text.subarray(0, text.length - 1)],
    ["a longer one", (text) => Buffer.concat([text, Buffer.from(" ")])],
    ["one with a changed byte", (text) => Buffer.concat([text.subarray(0, 99), Buffer.from("x"), text.subarray(100)])],
  ])("a holder that gives %s keeps nobody from the right one", async (_what, change) => {
    const here = await world(3, large.version);
    const false_ = change(Buffer.from(large.text));
    await rogue("dcx1dc1", (request, response) => {
      if (request.url?.endsWith("/stamps")) return void response.end(JSON.stringify(stamps));
      const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0]);
      // No more than half at a time, so that what it gives is mixed with what the other one gives.
      const bytes = false_.subarray(from, from + 600_000);
      if (bytes.length === 0) return void response.writeHead(416).end("{}");
      response.writeHead(206, { "content-range": `bytes ${from}-${from + bytes.length - 1}/${false_.length}` });
      response.end(bytes);
    });
    here.fetcher.update();
    await logged(({ peer, err }) => peer === "dcx1dc1" && err !== undefined);
    expect(here.store.versions(deployment)).toEqual([]);
    await holding("dcx1dc2");
    await arrived(here, large.version);
    expect(here.store.get(deployment, large.version)?.manifest).toBe(large.text);
    expect(here.home.records.names("part/")).toEqual([]);
  });

  it.each<[string, string, (response: ServerResponse) => void]>([
    [
      "announces more than a manifest may have",
      "at most 8388608 are read",
      (response) => response.writeHead(206, { "content-range": "bytes 0-9999999/10000000" }).end("x"),
    ],
    [
      "sends more than it announced",
      "more than the 5 bytes",
      (response) => {
        response.writeHead(206, { "content-range": "bytes 0-4/6000000", "transfer-encoding": "chunked" });
        const flood = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 120)));
        };
        response.on("drain", flood);
        flood();
      },
    ],
    ["says not which part it gives", "does not say which part", (response) => response.writeHead(206).end("x")],
    [
      "sends a byte now and then",
      "too slow",
      (response) => {
        response.writeHead(206, { "content-range": "bytes 0-99999/100000" });
        const dribble = setInterval(() => response.write("x"), 100);
        response.once("close", () => clearInterval(dribble));
      },
    ],
    ["never answers", "too slow", () => undefined],
  ])("a holder that %s is left, the log says so, and another one is asked", async (_what, reason, answer) => {
    const here = await world(3, large.version, impatience);
    await rogue("dcx1dc1", (_request, response) => answer(response));
    here.fetcher.update();
    const line = await logged(({ peer, err }) => peer === "dcx1dc1" && err?.message.includes(reason) === true);
    expect(line.msg).toBe("a peer did not give the manifest");
    await holding("dcx1dc2");
    await arrived(here, large.version);
  });

  it("is let go at once where the agent stops", async () => {
    const here = await world(2, large.version);
    let gave = false;
    await rogue("dcx1dc1", (_request, response) => {
      response.writeHead(206, { "content-range": `bytes 0-${large.text.length - 1}/${large.text.length}` });
      response.write(large.text.slice(0, 100_000), () => {
        gave = true;
      });
    });
    here.fetcher.update();
    while (!gave) await new Promise((resolve) => setTimeout(resolve, 20));
    const began = performance.now();
    await here.stop();
    // A holder that gives nothing more would be waited for ten seconds.
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(holders.log.filter(({ msg }) => msg === "a peer did not give the manifest")).toEqual([]);
  });

  it("is not taken up again once the chain names another version", async () => {
    const here = await world(2, large.version);
    await holding("dcx1dc1");
    const link = await frailLink(holders.urlOf("dcx1dc1"), 1_500_000);
    links.push(link);
    holders.publish("dcx1dc1", link.url);
    here.fetcher.update();
    await logged(({ progress }) => progress === true);
    expect(here.home.records.names("part/")).not.toEqual([]);
    holders.version = small.version;
    here.fetcher.update();
    await here.stop();
    const again = await holders.start("dcx1dc0");
    again.fetcher.update();
    expect(again.home.records.names("part/")).toEqual([]);
  });

  it("is had in spite of parts on the disk that can't be opened", async () => {
    const here = await world(2, large.version);
    await holding("dcx1dc1");
    here.home.records.put(`part/${deployment}/${large.version}//000000`, Buffer.from("cut off"));
    here.fetcher.update();
    await arrived(here, large.version);
    expect(here.store.get(deployment, large.version)?.manifest).toBe(large.text);
  });

  it("is had once the disk takes it again", async () => {
    const here = await world(2, large.version);
    await holding("dcx1dc1");
    const put = jest.spyOn(here.home.records, "put").mockImplementation(() => {
      throw new Error("no space left on device");
    });
    here.fetcher.update();
    const { err } = await logged(({ msg }) => msg === "a manifest can't be kept here; trying again");
    expect(err).toMatchObject({ message: expect.stringContaining("no space left") });
    put.mockRestore();
    await arrived(here, large.version);
    expect(here.store.get(deployment, large.version)?.manifest).toBe(large.text);
  });

  it("is had by all ten holders where one of them has it", async () => {
    holders = await Holders.create(10, large.version);
    const all = [];
    for (const address of holders.addresses) all.push(await holders.start(address));
    const [origin, ...others] = all;
    for (const holder of others) holder.fetcher.update();
    origin?.store.put(deployment, large.version, { manifest: large.text, stamps });
    await Promise.all(others.map((holder) => arrived(holder, large.version)));
    for (const holder of others) {
      expect(holder.store.get(deployment, large.version)).toEqual({ manifest: large.text, stamps });
    }
    // The one that had it first did not have to give it to all of them.
    const parts = Math.ceil(large.text.length / MAX_MANIFEST_PART_BYTES);
    expect(origin?.asked.length).toBeLessThan(9 * parts);
  });

  it("is not kept away by a holder that answers first each time and gives little", async () => {
    const here = await world(3, small.version, impatience);
    await rogue("dcx1dc1", (_request, response) => {
      response.writeHead(206, { "content-range": "bytes 0-99999/100000" }).write("x");
    });
    await rogue("dcx1dc2", (request, response) => {
      setTimeout(() => {
        if (request.url?.endsWith("/stamps")) return void response.end(JSON.stringify(stamps));
        const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0]);
        const range = `bytes ${from}-${small.text.length - 1}/${small.text.length}`;
        response.writeHead(206, { "content-range": range }).end(small.text.slice(from));
      }, 300);
    });
    here.fetcher.update();
    await arrived(here, small.version);
    expect(here.store.get(deployment, small.version)?.manifest).toBe(small.text);
  });

  it("is asked of nobody who held a lease once or has only bid", async () => {
    const here = await world(4, large.version);
    const [former, bidder] = [await holding("dcx1dc1"), await holding("dcx1dc2")];
    holders.endLease("dcx1dc1");
    holders.onlyBids("dcx1dc2");
    const holder = await holders.start("dcx1dc3");
    here.fetcher.update();
    // Its only holder has come to have it after the others could have been asked many times.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    holder.store.put(deployment, large.version, { manifest: large.text, stamps });
    await arrived(here, large.version);
    expect([...former.asked, ...bidder.asked]).toEqual([]);
    expect(holder.asked).not.toEqual([]);
  });

  it("leaves nothing in the clear on any disk, also of what is half here, and nothing in a log", async () => {
    const here = await world(2, large.version);
    await holding("dcx1dc1");
    const link = await frailLink(holders.urlOf("dcx1dc1"), 2_500_000);
    links.push(link);
    holders.publish("dcx1dc1", link.url);
    here.fetcher.update();
    await logged(({ progress }) => progress === true);
    await here.stop();
    const secret = "1".repeat(100);
    expect(large.text).toContain(secret);
    const { status, stdout } = spawnSync("grep", ["-rlaF", secret, holders.folder], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(JSON.stringify(holders.log)).not.toContain(secret);
  });
});
