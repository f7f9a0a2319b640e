import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { createDatacenterRoot, createHostLeaf } from "@dcx/protocol";
import type { IngressNames } from "../overlay";
import { generatedLabel } from "./generated-name";
import {
  aroundNow,
  closed,
  connection,
  domain,
  echo,
  exchange,
  IngressWorld,
  type IngressWorldOptions,
  until,
} from "./testing/world";

jest.setTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "dcx-ingress-"));
const worlds: IngressWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(
  { limits, rawPorts, ...names }: Partial<IngressNames> & Pick<IngressWorldOptions, "limits" | "rawPorts"> = {},
  home = mkdtempSync(join(folder, "home-")),
) {
  const world = await IngressWorld.start({ home, names, limits, rawPorts });
  worlds.push(world);
  return world;
}

async function serving(settings: Parameters<typeof start>[0] = {}) {
  const world = await start(settings);
  await world.serve("web-0", echo);
  world.apply({});
  await until(() => world.status().established);
  return { world, host: world.url().hostname };
}

describe("a generated host name", () => {
  it("is the connection's name and a hash of all that it belongs to, and fits a DNS label", () => {
    expect(generatedLabel("test-1", connection)).toMatch(/^public-[0-9a-v]{20}$/);
    const names = [
      generatedLabel("test-1", connection),
      generatedLabel("test-2", connection),
      generatedLabel("test-1", "dcx1tenant/42/connections/public"),
      generatedLabel("test-1", "dcx1other/41/connections/public"),
    ];
    expect(new Set(names).size).toBe(4);
    expect(generatedLabel("test-1", `dcx1tenant/1/connections/${"a".repeat(40)}`)).toHaveLength(61);
  });

  it("never changes: it is an output of programs", () => {
    expect(generatedLabel("test-1", connection)).toBe("public-uhe7lkispqefi01sc1rv");
  });
});

describe("a global connection at its host name", () => {
  it("is reached by TLS that ends at the datacenter, under its root", async () => {
    const { world, host } = await serving();
    expect(host).toBe(`${generatedLabel("test-1", connection)}.${domain}`);
    expect(world.status()).toMatchObject({ rawAddress: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    await expect(world.ask(host, "over TLS")).resolves.toBe("over TLS");
    await expect(world.ask(host.toUpperCase(), "any case")).resolves.toBe("any case");
    const old = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
    await expect(world.ask(host, "TLS 1.2", old)).resolves.toBe("TLS 1.2");
    await expect(world.ask(host, "", { maxVersion: "TLSv1.1", minVersion: "TLSv1" })).rejects.toThrow();
    const other = await createDatacenterRoot({ chainId: "test-1", datacenter: "dcx1sierra" }, aroundNow());
    await expect(world.ask(host, "", { ca: other.certificate })).rejects.toThrow(/self-signed|verify/);
  });

  it("keeps name and port over a restart of the agent", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    const first = await start({}, home);
    first.apply({});
    const { address } = first.status();
    await first.close();
    worlds.splice(0);
    const second = await start({}, home);
    second.apply({});
    expect(second.status().address).toBe(address);
  });

  it("is spread over the instances, and goes on with one when the other does not accept", async () => {
    const { world, host } = await serving();
    for (const name of ["web-0", "web-1"]) await world.serve(name, (socket) => socket.end(name));
    world.apply({ instances: ["web-0", "web-1"] });
    const both = await Promise.all(Array.from({ length: 6 }, () => world.ask(host)));
    expect(both.filter((name) => name === "web-0")).toHaveLength(3);
    expect(both.filter((name) => name === "web-1")).toHaveLength(3);
    world.fail("web-0");
    const one = await Promise.all(Array.from({ length: 6 }, () => world.ask(host)));
    expect(new Set(one)).toEqual(new Set(["web-1"]));
  });

  it("leads to its own target, whatever else is served", async () => {
    const world = await start();
    const other = "dcx1other/7/connections/public";
    await world.serve("web-0", (socket) => socket.end("mine"));
    await world.serve("web-1", (socket) => socket.end("theirs"));
    world.apply({}, { connection: other, instances: ["web-1"] });
    await until(() => world.status().established && world.status(other).established);
    await expect(world.ask(world.url().hostname)).resolves.toBe("mine");
    await expect(world.ask(world.url(other).hostname)).resolves.toBe("theirs");
  });

  it("cuts what is established when it is removed, and nothing of another one", async () => {
    const world = await start();
    const other = "dcx1other/7/connections/public";
    await world.serve("web-0", echo);
    world.apply({}, { connection: other });
    await until(() => world.status().established && world.status(other).established);
    const [mine, theirs] = [world.connect(world.url().hostname), world.connect(world.url(other).hostname)];
    for (const socket of [mine, theirs]) {
      socket.write("x");
      await once(socket, "data");
    }
    const host = world.url().hostname;
    let ended = false;
    mine.on("end", () => {
      ended = true;
    });
    const broken = once(mine, "error");
    world.apply({ connection: other });
    await expect(broken).resolves.toMatchObject([{ code: "ECONNRESET" }]);
    expect(ended).toBe(false);
    theirs.write("y");
    await expect(once(theirs, "data")).resolves.toEqual([Buffer.from("y")]);
    await expect(world.ask(host, "", { port: Number(world.url(other).port) })).rejects.toThrow(/disconnected/);
    theirs.destroy();
  });

  it("passes on the end of one direction alone, and an abort as an abort", async () => {
    const { world, host } = await serving();
    const arrived: string[] = [];
    const errors: unknown[] = [];
    await world.serve("web-0", (socket) => {
      let text = "";
      socket.on("data", (data) => {
        text += data;
        arrived.push(String(data));
      });
      socket.on("end", () => socket.end(`had ${text}`));
      socket.on("error", (error) => errors.push(error));
    });
    await expect(world.ask(host, "all")).resolves.toBe("had all");
    expect(errors).toEqual([]);
    const caller = world.dial();
    await once(caller, "connect");
    const socket = world.connect(host, { socket: caller });
    socket.on("error", () => undefined);
    socket.write("half");
    await until(() => arrived.includes("half"));
    caller.resetAndDestroy();
    await until(() => errors.length > 0);
    expect(errors).toMatchObject([{ code: "ECONNRESET" }]);
  });

  it("speaks HTTP/1.1 to whoever offers it, and else what they ask for", async () => {
    const { world, host } = await serving();
    const chosen = async (ALPNProtocols: string[]) => {
      const socket = world.connect(host, { ALPNProtocols });
      await once(socket, "secureConnect");
      socket.destroy();
      return socket.alpnProtocol;
    };
    await expect(chosen(["h2", "http/1.1"])).resolves.toBe("http/1.1");
    await expect(chosen(["h2"])).resolves.toBe("h2");
    await expect(chosen(["postgresql"])).resolves.toBe("postgresql");
    await expect(chosen(["acme-tls/1"])).rejects.toThrow(/no application protocol|ECONNRESET/);
  });

  it("moves a lot while the reader is slow", async () => {
    const { world, host } = await serving();
    const size = 64 << 20;
    let sent = 0;
    await world.serve("web-0", (socket) => {
      const block = Buffer.alloc(1 << 16, 7);
      const more = (): void => {
        while (sent < size) {
          sent += block.length;
          if (!socket.write(block)) return;
        }
        socket.end();
      };
      socket.on("drain", more);
      more();
    });
    const socket = world.connect(host);
    await once(socket, "secureConnect");
    socket.pause();
    let before = -1;
    // It stops by itself: nobody keeps what is not read.
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(size / 2);
    let received = 0;
    for await (const data of socket) received += data.length;
    expect(received).toBe(size);
  });
});

describe("a certificate of the operator's", () => {
  async function files(hosts: string[], validity = aroundNow) {
    const root = await createDatacenterRoot({ chainId: "an authority", datacenter: "of its own" }, aroundNow());
    const place = mkdtempSync(join(folder, "files-"));
    const [certificateFile, keyFile] = [join(place, "tls.crt"), join(place, "tls.key")];
    const write = async () => {
      const { certificate, key } = await createHostLeaf(root, hosts, validity());
      writeFileSync(certificateFile, certificate);
      writeFileSync(keyFile, key, { mode: 0o600 });
    };
    await write();
    return { root, files: { certificateFile, keyFile }, write };
  }

  it("is shown for the names that it is for, and read again when its files change", async () => {
    const { root, files: own, write } = await files([`*.${domain}`]);
    const { world, host } = await serving({ certificates: [own] });
    const serial = async () => {
      const socket = world.connect(host, { ca: root.certificate });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    const read = world.infos.length;
    await write();
    await until(() => world.infos.slice(read).includes("a certificate was read"));
    await expect(serial()).resolves.not.toBe(before);
    writeFileSync(own.keyFile, "nothing that is a key");
    await until(() => world.warnings.some(({ message }) => String(message).includes("the one before is served")));
    await expect(world.ask(host, "still", { ca: root.certificate })).resolves.toBe("still");
    expect(JSON.stringify(world.warnings)).not.toContain("PRIVATE KEY");
  });

  it("is found in a folder as it comes, and no more once it is gone", async () => {
    const place = mkdtempSync(join(folder, "certificates-"));
    const { world, host } = await serving({ certificateFolder: place });
    await expect(world.ask(host, "by the root")).resolves.toBe("by the root");
    const { root, files: own } = await files([`*.${domain}`]);
    copyFileSync(own.keyFile, join(place, "apps.key"));
    copyFileSync(own.certificateFile, join(place, "apps.crt"));
    copyFileSync(own.certificateFile, join(place, "apps.issuer.crt"));
    await until(() => world.infos.includes("a certificate was read"));
    await expect(world.ask(host, "by the file", { ca: root.certificate })).resolves.toBe("by the file");
    rmSync(join(place, "apps.crt"));
    let answer = "";
    while (answer === "") answer = await world.ask(host, "by the root again").catch(() => "");
    expect(answer).toBe("by the root again");
    expect(world.warnings).toEqual([]);
  });

  it("is warned of before it expires, and once it has: then the datacenter's own takes its place", async () => {
    const validity = () => ({ ...aroundNow(), notAfter: new Date(Date.now() + 8_000) });
    const { root, files: own } = await files([`*.${domain}`], validity);
    const { world, host } = await serving({ certificates: [own] });
    await expect(world.ask(host, "by the file", { ca: root.certificate })).resolves.toBe("by the file");
    const said = (what: string) => world.warnings.filter(({ message }) => String(message).includes(what));
    expect(said("expires soon: renew it")).toMatchObject([{ certificateFile: own.certificateFile }]);
    await until(() => said("has expired").length > 0);
    expect(said("has expired")).toMatchObject([
      { certificateFile: own.certificateFile, message: expect.stringContaining("under this datacenter's root") },
    ]);
    await expect(world.ask(host, "by the root")).resolves.toBe("by the root");
    // The files are looked at every two seconds; it is said once.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(world.warnings).toHaveLength(2);
  });

  it("is passed over for names that it is not for", async () => {
    const { files: own } = await files(["*.elsewhere.example"]);
    const { world, host } = await serving({ certificates: [own] });
    await expect(world.ask(host, "by the root")).resolves.toBe("by the root");
  });

  it("keeps the agent from starting where it can't be used, and says which file", async () => {
    const [one, other] = [await files(["a.example"]), await files(["b.example"])];
    const mixed = { certificateFile: one.files.certificateFile, keyFile: other.files.keyFile };
    await expect(start({ certificates: [mixed] })).rejects.toThrow(
      /tls\.key is not the key of the certificate in .*crt/,
    );
    await expect(start({ certificates: [{ ...mixed, keyFile: "/no/such.key" }] })).rejects.toThrow("/no/such.key");
  });
});

describe("ports of global connections", () => {
  it("are none where the operator wants host names alone", async () => {
    const { world, host } = await serving({ rawPorts: false });
    const status = world.status();
    expect(status).toMatchObject({ established: true, address: expect.stringContaining(host) });
    expect(status.rawAddress).toBeUndefined();
    await expect(world.ask(host, "by name")).resolves.toBe("by name");
  });

  it("and host names: what goes through is counted, as the workload sees it", async () => {
    const { world, host } = await serving({ limits: { connectionsPerAddress: 3 } });
    const idle = world.connect(host);
    await once(idle, "secureConnect");
    await world.ask(host, "a".repeat(100_000));
    const [, port] = world.status().rawAddress?.split(":") ?? [];
    const raw = () => {
      const socket = createConnection({ port: Number(port), host: "127.0.0.1" });
      socket.on("error", () => undefined);
      return socket;
    };
    await expect(exchange(raw(), "b".repeat(2_000))).resolves.toHaveLength(2_000);
    const held = [raw(), raw(), raw()];
    await until(() => world.overlay.traffic("port").open === 3);
    await closed(raw());
    await world.ask("unknown.example").catch(() => undefined);
    await until(() => world.overlay.traffic("name").refused === 1);
    expect(world.overlay.traffic("name")).toEqual({
      ...{ open: 1, connections: 2, refused: 1 },
      ...{ received: 100_000, sent: 100_000 },
    });
    expect(world.overlay.traffic("port")).toEqual({
      ...{ open: 3, connections: 4, refused: 1 },
      ...{ received: 2_000, sent: 2_000 },
    });
    for (const socket of [idle, ...held]) socket.destroy();
    await until(() => world.overlay.traffic("port").open + world.overlay.traffic("name").open === 0);
  });
});

describe("plain HTTP", () => {
  const get = (port: number, host: string, path: string) =>
    new Promise<{ status: number | undefined; location: string | undefined; body: string }>((resolve, reject) => {
      request({ port, host: "127.0.0.1", path, headers: { host }, agent: false }, (response) => {
        let body = "";
        response.on("data", (data) => {
          body += data;
        });
        response.on("end", () => resolve({ status: response.statusCode, location: response.headers.location, body }));
      })
        .on("error", reject)
        .end();
    });

  it("leads to TLS at names that are served, answers challenges, and knows nothing else", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    const challenges = join(home, "challenges");
    mkdirSync(challenges);
    writeFileSync(join(challenges, "token_1"), "token_1.thumbprint");
    writeFileSync(join(home, "secret"), "a secret");
    const world = await start({ http: { host: "127.0.0.1", port: 0 }, challenges, port: 443 }, home);
    world.apply({});
    const { redirect } = JSON.parse(readFileSync(join(home, "ports.json"), "utf8"));
    const { hostname } = world.url();
    await expect(get(redirect, `${hostname}:80`, "/a?b=c")).resolves.toMatchObject({
      status: 308,
      location: `https://${hostname}/a?b=c`,
    });
    await expect(get(redirect, "other.example", "/")).resolves.toMatchObject({ status: 404 });
    const challenge = "/.well-known/acme-challenge";
    await expect(get(redirect, "other.example", `${challenge}/token_1`)).resolves.toMatchObject({
      status: 200,
      body: "token_1.thumbprint",
    });
    for (const path of [`${challenge}/../secret`, `${challenge}/..%2fsecret`, `${challenge}/none`]) {
      await expect(get(redirect, "other.example", path)).resolves.toMatchObject({ status: 404 });
    }
  });
});

/** What a client begins with that looks for a host name. */
async function clientHello(servername: string): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, servername });
  client.on("error", () => undefined);
  const [socket]: Socket[] = await once(server, "connection");
  const [hello]: Buffer[] = socket === undefined ? [] : await once(socket, "data");
  client.destroy();
  socket?.destroy();
  server.close();
  return hello ?? Buffer.alloc(0);
}

describe("at the port of host names", () => {
  const reasons = (world: IngressWorld) =>
    world.warnings.filter(({ message }) => message === "a connection to a host name was refused");

  it("an unknown name, and none, is refused and logged", async () => {
    const { world, host } = await serving();
    for (const name of ["shop.example.org", `any.${domain}`, domain]) {
      await expect(world.ask(name)).rejects.toThrow();
      expect(reasons(world).at(-1)).toMatchObject({
        from: expect.stringContaining("127.0.0.1"),
        reason: `the host name ${name}: no connection that is served here has this name`,
      });
    }
    await expect(world.ask("", "", { checkServerIdentity: () => undefined })).rejects.toThrow();
    expect(reasons(world).at(-1)).toMatchObject({ reason: expect.stringMatching(/^no host name: /) });
    await expect(world.ask(host, "control")).resolves.toBe("control");
  });

  it.each([
    ["HTTP without TLS", Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), /does not speak TLS/],
    ["a hello of 64 KiB", Buffer.from([22, 3, 1, 64, 0, 1, 1, 0, 0, 3, 3]), /client hello has 65536 bytes/],
    ["a server's hello", Buffer.from([22, 3, 3, 0, 80, 2, 0, 0, 76, 3, 3]), /does not speak TLS/],
    ["garbage within a hello", Buffer.from([22, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9]), /no host name: /],
  ])("%s is refused and logged", async (_, bytes, reason) => {
    const { world, host } = await serving();
    const socket = world.dial();
    socket.write(bytes);
    await closed(socket);
    await until(() => reasons(world).length > 0);
    expect(reasons(world)).toEqual([expect.objectContaining({ reason: expect.stringMatching(reason) })]);
    await expect(world.ask(host, "control")).resolves.toBe("control");
  });

  it("a client hello that was changed, cut off or only half open is closed in time, and reaches nobody", async () => {
    const world = await start({ limits: { connections: 1_000, connectionsPerAddress: 1_000, handshake: 1_000 } });
    let reached = 0;
    await world.serve("web-0", (socket) => {
      reached += 1;
      echo(socket);
    });
    world.apply({});
    await until(() => world.status().established);
    const host = world.url().hostname;
    const hello = await clientHello(host);
    const probes = reached;
    const changed = Array.from({ length: 200 }, (_, n) => {
      const bytes = Buffer.from(hello);
      // Everywhere in turn, from the heads of record and message on.
      const at = (n * 7) % bytes.length;
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 + (n % 255)), at);
      return n % 3 === 0 ? bytes.subarray(0, (n * 5) % bytes.length) : bytes;
    });
    await Promise.all(
      changed.map(async (bytes, n) => {
        const socket = world.dial();
        if (n % 5 === 0) socket.end(bytes);
        else socket.write(bytes);
        await closed(socket);
      }),
    );
    expect(reached).toBe(probes);
    await expect(world.ask(host, "control")).resolves.toBe("control");
  });

  it("who says nothing, or a byte at a time, is refused when the time for a handshake is over", async () => {
    const { world, host } = await serving({
      limits: { connections: 100, connectionsPerAddress: 100, handshake: 500 },
    });
    const silent = world.dial();
    const slow = world.dial();
    const hello = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, ...Array<number>(500).fill(3)]);
    let at = 0;
    const drip = setInterval(() => slow.write(hello.subarray(at, ++at)), 20);
    const began = performance.now();
    await Promise.all([closed(silent), closed(slow)]);
    clearInterval(drip);
    expect(performance.now() - began).toBeGreaterThan(450);
    expect(at).toBeGreaterThan(9);
    expect(reasons(world)).toEqual(
      Array(2).fill(expect.objectContaining({ reason: "it took more than 0.5 s for its TLS handshake" })),
    );
    const long = world.connect(host);
    await once(long, "secureConnect");
    await new Promise((resolve) => setTimeout(resolve, 700));
    await expect(exchange(long, "who has finished may wait")).resolves.toBe("who has finished may wait");
  });

  it("more connections than it takes are refused, and places that become free are given again", async () => {
    const { world, host } = await serving({ limits: { connections: 5, connectionsPerAddress: 3, handshake: 5_000 } });
    const held = [world.connect(host), world.connect(host), world.connect(host)];
    await Promise.all(held.map((socket) => once(socket, "secureConnect")));
    await expect(world.ask(host)).rejects.toThrow();
    expect(reasons(world).at(-1)).toMatchObject({
      reason: expect.stringMatching(/^there are 3 connections from .*127/),
    });
    held[0]?.destroy();
    await until(() => held[0]?.closed === true);
    let answer = "";
    while (answer === "") answer = await world.ask(host, "again").catch(() => "");
    expect(answer).toBe("again");
    for (const socket of held) socket.destroy();
  });

  it("one connection's visitors take no more than half of all places", async () => {
    const other = "dcx1other/7/connections/public";
    const world = await start({ limits: { connections: 6, connectionsPerAddress: 6, handshake: 5_000 } });
    await world.serve("web-0", echo);
    world.apply({}, { connection: other });
    await until(() => world.status().established && world.status(other).established);
    const host = world.url().hostname;
    const held = [world.connect(host), world.connect(host), world.connect(host)];
    for (const socket of held) {
      socket.write("x");
      await once(socket, "data");
    }
    await expect(world.ask(host)).rejects.toThrow();
    expect(reasons(world).at(-1)).toMatchObject({
      reason: `the host name ${host}: there are 3 connections to it already, and others need some too`,
    });
    await expect(world.ask(world.url(other).hostname, "theirs")).resolves.toBe("theirs");
    for (const socket of held) socket.destroy();
  });

  it("a flood of refusals does not fill the log", async () => {
    const { world } = await serving();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = world.dial();
        socket.write("GET / HTTP/1.1\r\n\r\n");
        await closed(socket);
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const socket = world.dial();
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await closed(socket);
    await until(() => world.warnings.some(({ message }) => message === "as many more refusals were not logged"));
    expect(reasons(world).length).toBeLessThan(150);
  });
});
