import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { PeerVerifier } from "@dcx/protocol";
import { Egress } from "../../overlay/egress/egress";
import { get, inNode, specification, startAnswering, untilLogged } from "../testing/instances";
import { describeOffers } from "../testing/offers";

jest.setTimeout(120_000);

describeOffers(({ isolated, runtime }) => {
  beforeAll(() => startAnswering(runtime(), "answers"));

  isolated("lets the overlay listen inside, under a name that resolves there", async () => {
    const network = await runtime().network("answers");
    const listener = await network.listen("127.77.0.1", 5432, (stream) => {
      stream.on("error", () => undefined);
      stream.resume().once("end", () => stream.end("from outside"));
    });
    const script = `
      const socket = require("net").connect({ host: "db", port: 5432, allowHalfOpen: true }, () => socket.end("x"));
      let text = ""; socket.on("data", (d) => { text += d; });
      socket.on("end", () => process.exit(text === "from outside" ? 0 : 1)); socket.on("error", () => process.exit(2));`;
    const ask = () => runtime().execute("answers", inNode(script), 10_000);
    await expect(ask()).resolves.toBe(0);
    await listener.close();
    await expect(ask()).resolves.toBe(2);
  });

  isolated("leads out where egress is declared, by its proxies alone, and nowhere else", async () => {
    const internet = createServer((request, response) => response.end(`public ${request.url}`));
    internet.listen(0, "127.0.0.1");
    const node = createServer((_, response) => response.end("node"));
    node.listen(0, "127.0.0.1");
    await Promise.all([once(internet, "listening"), once(node, "listening")]);
    const portOf = (server: typeof node) => (server.address() as AddressInfo).port;
    const options = {
      network: (id: string) => runtime().network(id),
      exchange: [`http://127.0.0.1:${portOf(node)}`],
      limits: { deny: [], denyPorts: [] },
      chainId: "dcx-runtime-1",
      verifier: new PeerVerifier(),
      // The internet of this test: one public address that leads to the server above.
      effects: {
        resolve: async (name: string) => [name === "public.example" ? "1.1.1.1" : "10.0.0.1"],
        connect: async (address: string) => {
          const socket = connect(address === "1.1.1.1" ? portOf(internet) : 1, "127.0.0.1");
          await once(socket, "connect");
          return socket;
        },
        own: () => [],
      },
      logger: { debug: () => {}, info: () => {}, warn: () => {} },
      onChange: () => {},
    };
    const source = { lease: "tenant/1/west/1", workload: "api" };
    const rules = [{ ports: [80] }];
    const out = new Egress(options, { source, instances: ["leads-out"], address: "127.77.0.2", port: 3128, rules });
    const toExchange = { source, instances: ["leads-out"], address: "127.77.0.3", port: 26657 };
    const exchange = new Egress(options, toExchange);
    await runtime().start(
      specification("leads-out", {
        hosts: { "egress.dcx.internal": "127.77.0.2", "exchange.dcx.internal": "127.77.0.3" },
        command: ["/usr/local/bin/node", "-e"],
        arguments: [
          `const { connect } = require("net"); const { request } = require("http");
             const ask = (host, port, path) => new Promise((resolve) => request({ host, port, path }, (response) => {
               let text = ""; response.on("data", (d) => { text += d; }).on("end", () => resolve(response.statusCode + " " + text.trim()));
             }).on("error", (error) => resolve(error.code)).end());
             const dial = (host, port) => new Promise((resolve) => connect({ host, port, timeout: 3000 }, () => resolve("reached"))
               .on("error", (error) => resolve(error.code)).on("timeout", () => resolve("timeout")));
             const until = async (act) => { for (;;) { const found = await act(); if (found !== "ECONNREFUSED") return found; await new Promise((r) => setTimeout(r, 20)); } };
             (async () => console.log("found " + JSON.stringify({
               allowed: await until(() => ask("egress.dcx.internal", 3128, "http://public.example/a")),
               inside: await ask("egress.dcx.internal", 3128, "http://inside.example/a"),
               host: await ask("egress.dcx.internal", 3128, "http://127.0.0.1:${portOf(node)}/"),
               exchange: await until(() => ask("exchange.dcx.internal", 26657, "/status")),
               direct: await dial("1.1.1.1", 80), metadata: await dial("169.254.169.254", 80), node: await dial("127.0.0.1", ${portOf(node)}),
               name: await new Promise((resolve) => require("dns").lookup("public.example", (error) => resolve(error === null ? "found" : "none"))),
             })))(); setInterval(() => 0, 1000);`,
        ],
      }),
    );
    const opening = setInterval(() => {
      out.check();
      exchange.check();
    }, 50);
    try {
      const { line } = await untilLogged(runtime(), "leads-out", /^found /);
      expect(JSON.parse(line.slice("found ".length))).toEqual({
        allowed: "200 public /a",
        inside: "403 inside.example:80 is not reached: 10.0.0.1: it is not public (private)",
        host: expect.stringMatching(/^403 127\.0\.0\.1:\d+ is not reached: /),
        exchange: "200 node",
        direct: "ENETUNREACH",
        metadata: "ENETUNREACH",
        node: "ECONNREFUSED",
        name: "none",
      });
    } finally {
      clearInterval(opening);
      for (const each of [out, exchange, internet, node]) each.close();
      await runtime().remove("leads-out");
    }
  });

  isolated(
    "leaves the ports of connections to the workload itself, on all its other addresses, whoever comes first",
    async () => {
      const network = await runtime().network("answers");
      const hears = (address: string, port: number, text: string) =>
        `new Promise((done, fail) => require("node:net").connect(${port}, "${address}").on("error", fail)
          .on("data", (data) => String(data) === "${text}" ? done() : fail(new Error(String(data)))))`;
      // The workload has had port 9000 of all its addresses since its start.
      const after = await network.listen("127.77.0.2", 9000, (stream) => stream.end("the target"));
      await expect(runtime().execute("answers", inNode(hears("127.77.0.2", 9000, "the target")), 30_000)).resolves.toBe(
        0,
      );
      await expect(get(runtime(), "answers", 9000)).resolves.toContain("it's me");
      const before = await network.listen("127.77.0.2", 9001, (stream) => stream.end("the target"));
      const listens = `require("node:net").createServer((s) => s.end("itself")).listen(9001, "0.0.0.0", () =>
        ${hears("127.0.0.1", 9001, "itself")}.then(() => ${hears("127.77.0.2", 9001, "the target")})
          .then(() => process.exit(0), (error) => { console.error(error); process.exit(1); }))`;
      await expect(runtime().execute("answers", inNode(listens), 30_000)).resolves.toBe(0);
      await before.close();
      const again = (port: number) =>
        runtime().execute("answers", inNode(hears("127.77.0.2", port, "the target")), 30_000);
      await expect(again(9001)).resolves.not.toBe(0);
      await expect(again(9000)).resolves.toBe(0);
      await after.close();
    },
    120_000,
  );

  it("rejects a dial to a port that nothing listens on", async () => {
    const network = await runtime().network("answers");
    await expect(network.dial(9999)).rejects.toThrow(/ECONNREFUSED/);
  });
});
