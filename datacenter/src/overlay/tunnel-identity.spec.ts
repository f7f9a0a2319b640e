import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { type CertificateWithKey, createDatacenterRoot, createLeaf } from "@dcx/protocol";
import type { WantedTarget } from "./overlay";
import { gateTo } from "./testing/gate";
import {
  apply,
  around,
  chainId,
  connection,
  datacenter,
  declaredPair,
  dialDoor,
  echo,
  established,
  exchange,
  identity,
  leaseOf,
  notAfterOf,
  serve,
  sourceOf,
  targetOf,
  until,
  type World,
} from "./testing/worlds";
import { tunnelName } from "./tunnel-name";
import { tunnelProtocol } from "./tunnel-opening";
import { TunnelSession } from "./tunnel-session";

describe("while a datacenter's root is replaced", () => {
  /** An open flow of the declared pair, and what is sent through it comes back. */
  async function openFlow(west: World) {
    const socket = dialDoor(west);
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const answers = async (text: string) => {
      socket.write(text);
      return String((await once(socket, "data"))[0]);
    };
    await answers("begin");
    return { answers, closed, end: () => socket.destroy() };
  }

  const rootOf = async (world: World) =>
    (await createDatacenterRoot({ chainId, datacenter: world.name }, around())).certificate;

  /** Both ends know these roots of both. */
  function trust(west: World, east: World, roots: { west?: string[]; east?: string[] }): void {
    const targets = [
      {
        ...identity(east, "api"),
        addresses: [east.overlay.address],
        ...(roots.east === undefined ? {} : { roots: roots.east }),
      },
    ];
    const sources = [{ ...identity(west, "web"), ...(roots.west === undefined ? {} : { roots: roots.west }) }];
    apply(west, { sources: [sourceOf(west, east, { targets })] });
    apply(east, { targets: [targetOf(west, east, { sources })] });
  }

  /** A declared pair whose tunnel goes through a gate. */
  async function overGate(options: { readonly holding?: boolean } = {}) {
    const west = await datacenter("west");
    const east = await datacenter("east");
    await serve(east, "api-0", 9000, echo);
    const way = await gateTo(east.overlay.address, options);
    apply(east, { targets: [targetOf(west, east)] });
    apply(west, {
      sources: [sourceOf(west, east, { targets: [{ ...identity(east, "api"), addresses: [way.address] }] })],
    });
    if (options.holding !== true) await until(() => established(west, `source ${connection}`));
    return { west, east, way };
  }

  it.each(["west", "east"] as const)(
    "%s renews all that is under the old one, and what it carries goes on beyond that one's end",
    async (whose) => {
      const { west, east } = await declaredPair();
      const world = whose === "west" ? west : east;
      const flow = await openFlow(west);
      const [first] = world.overlay.presented();
      const successor = await createDatacenterRoot({ chainId, datacenter: world.name }, around());
      trust(west, east, { [whose]: [successor.certificate, world.root.certificate] });
      world.issueUnder(successor);
      const answers = Array.from({ length: 20 }, async (_, n) => exchange(dialDoor(west), `n${n}`));
      await world.overlay.renew();
      await expect(Promise.all(answers)).resolves.toEqual(Array.from({ length: 20 }, (_, n) => `n${n}`));
      await until(() => world.overlay.presented().length === 2);
      await expect(flow.answers("old")).resolves.toBe("old");
      const next = await openFlow(west);
      // The last flow of the old tunnel ends, and the tunnel with it.
      flow.end();
      await until(() => world.overlay.presented().length === 1);
      expect(world.overlay.presented()).not.toContain(first);
      trust(west, east, { [whose]: [successor.certificate] });
      await expect(next.answers("new")).resolves.toBe("new");
      await expect(exchange(dialDoor(west), "newer")).resolves.toBe("newer");
    },
  );

  it("an old tunnel that nothing goes through counts no more, though the other end does not close it", async () => {
    const { west, way } = await overGate();
    await expect(exchange(dialDoor(west), "before")).resolves.toBe("before");
    way.silence();
    await west.overlay.renew();
    await until(() => way.opened === 2);
    await expect(exchange(dialDoor(west), "after")).resolves.toBe("after");
    await until(() => west.overlay.presented().length === 1);
  });

  it("a connection that the old tunnel never answered goes through the new one", async () => {
    const { west, way } = await overGate();
    way.silence();
    const unanswered = exchange(dialDoor(west), "unanswered");
    await until(() => way.swallowed > 0);
    await west.overlay.renew();
    await expect(unanswered).resolves.toBe("unanswered");
  });

  it("a tunnel that was begun before the target renewed, and stands only after that, is renewed as well", async () => {
    const { west, east, way } = await overGate({ holding: true });
    await until(() => way.held > 0);
    const old = new X509Certificate(await east.overlay.certificate(leaseOf(east), "api")).fingerprint256;
    await east.overlay.renew();
    way.release();
    const shown = () => east.overlay.presented().map((pem) => new X509Certificate(pem).fingerprint256);
    await until(() => shown().length === 1 && !shown().includes(old));
    await expect(exchange(dialDoor(west), "new")).resolves.toBe("new");
  });

  it("a renewal that the other end does not accept yet is tried again, and nothing breaks meanwhile", async () => {
    const { west, east } = await declaredPair();
    const flow = await openFlow(west);
    const successor = await createDatacenterRoot({ chainId, datacenter: west.name }, around());
    west.issueUnder(successor);
    await west.overlay.renew();
    await until(() => east.refusals.length > 0);
    await expect(flow.answers("still")).resolves.toBe("still");
    await expect(exchange(dialDoor(west), "new")).resolves.toBe("new");
    trust(west, east, { west: [successor.certificate, west.root.certificate] });
    await until(() => west.overlay.presented().length === 2);
    await expect(flow.answers("old")).resolves.toBe("old");
    flow.end();
    await until(() => west.overlay.presented().length === 1);
  });

  it.each(["west", "east"] as const)("flows go on while there are two of %s", async (whose) => {
    const { west, east } = await declaredPair();
    const flow = await openFlow(west);
    const world = whose === "west" ? west : east;
    trust(west, east, { [whose]: [world.root.certificate, await rootOf(world)] });
    await expect(flow.answers("both")).resolves.toBe("both");
    trust(west, east, { [whose]: [world.root.certificate] });
    await expect(flow.answers("one")).resolves.toBe("one");
    await expect(exchange(dialDoor(west), "new")).resolves.toBe("new");
  });

  it.each(["west", "east"] as const)("flows under a root of %s that goes are cut at once", async (whose) => {
    const { west, east } = await declaredPair();
    const flow = await openFlow(west);
    trust(west, east, { [whose]: [await rootOf(whose === "west" ? west : east)] });
    await flow.closed;
    await until(() => !established(west, `source ${connection}`));
  });
});

describe("a tunnel is refused", () => {
  /** What servers have given to callers to resume a session by. */
  const given: Buffer[] = [];

  /** What a caller with these credentials gets: "accepts", or why it ended. */
  async function attempt(
    east: World,
    credentials: Partial<CertificateWithKey>,
    name: string | undefined,
    session?: Buffer,
  ): Promise<string> {
    const { hostname, port } = new URL(`tcp://${east.overlay.address}`);
    const socket = connectTls({
      host: hostname,
      port: Number(port),
      ...(name === undefined ? {} : { servername: name }),
      ...(credentials.certificate === undefined ? {} : { cert: credentials.certificate, key: credentials.key }),
      ...(session === undefined ? {} : { session }),
      rejectUnauthorized: false,
      ALPNProtocols: [tunnelProtocol],
    });
    socket.on("session", (session) => given.push(session));
    try {
      await once(socket, "secureConnect");
      const shown = { leaf: Buffer.alloc(0), notAfter: new Date(), own: "" };
      const session = new TunnelSession(socket, shown, { onGoAway: () => undefined, onClose: () => undefined });
      const outcome = await session.begin("carry").answer.then(
        (answer) => answer.outcome,
        () => "refused",
      );
      session.cut();
      return outcome;
    } catch (error) {
      return `refused: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** The line about a caller with these credentials. */
  function logged(connection: string, { certificate }: Partial<CertificateWithKey>) {
    const shown = certificate === undefined ? undefined : new X509Certificate(certificate);
    return expect.objectContaining({
      message: "a tunnel was refused",
      details: expect.objectContaining({
        connection,
        presented: shown?.subjectAltName ?? "no certificate",
        fingerprint: shown?.fingerprint256,
        reason: expect.any(String),
      }),
    });
  }

  const workload = (world: World, name: string) => ({
    chainId,
    datacenter: world.name,
    workload: { lease: leaseOf(world), name },
  });

  it("but not for the declared source (control)", async () => {
    const { west, east } = await declaredPair();
    const leaf = await createLeaf(west.root, workload(west, "web"), around());
    await expect(attempt(east, leaf, tunnelName(chainId, connection, leaseOf(east)))).resolves.toBe("accepts");
  });

  it.each<[string, (west: World, east: World) => Promise<Partial<CertificateWithKey>>]>([
    ["without a certificate", async () => ({})],
    ["for another workload of the same lease", (west) => createLeaf(west.root, workload(west, "evil"), around())],
    [
      "for the same workload of another deployment",
      (west) =>
        createLeaf(
          west.root,
          { chainId, datacenter: west.name, workload: { lease: "tenant/2/west/1", name: "web" } },
          around(),
        ),
    ],
    [
      "for the same workload of another datacenter, under that one's root",
      async () =>
        createLeaf(
          await createDatacenterRoot({ chainId, datacenter: "other" }, around()),
          { chainId, datacenter: "other", workload: { lease: "tenant/1/west/1", name: "web" } },
          around(),
        ),
    ],
    ["for the datacenter's agent", (west) => createLeaf(west.root, { chainId, datacenter: west.name }, around())],
    ["for a source under the target's root", (west, east) => createLeaf(east.root, workload(west, "web"), around())],
    [
      "under a look-alike root with the same subject",
      async (west) => {
        const root = await createDatacenterRoot({ chainId, datacenter: west.name }, around());
        expect(new X509Certificate(root.certificate).subject).toBe(new X509Certificate(west.root.certificate).subject);
        return createLeaf(root, workload(west, "web"), around());
      },
    ],
    [
      "under a root that was removed",
      async (west, east) => {
        const successor = await createDatacenterRoot({ chainId, datacenter: west.name }, around());
        const source = { ...identity(west, "web"), roots: [successor.certificate] };
        apply(east, { targets: [targetOf(west, east, { sources: [source] })] });
        return createLeaf(west.root, workload(west, "web"), around());
      },
    ],
    [
      "that has expired",
      (west) =>
        createLeaf(west.root, workload(west, "web"), {
          notBefore: new Date(Date.now() - 1000_000),
          notAfter: new Date(Date.now() - 1000),
        }),
    ],
  ])("%s", async (_, credentials) => {
    const { west, east } = await declaredPair();
    const name = tunnelName(chainId, connection, leaseOf(east));
    const presented = await credentials(west, east);
    await expect(attempt(east, presented, name)).resolves.toMatch(/^refused/);
    expect(east.refusals).toContainEqual(logged(connection, presented));
  });

  it.each([
    ["for a connection that is not declared", tunnelName(chainId, "tenant/1/connections/other", "tenant/1/east/1")],
    ["without the name of a connection", undefined],
  ])("%s", async (_, name) => {
    const { west, east } = await declaredPair();
    const leaf = await createLeaf(west.root, workload(west, "web"), around());
    await expect(attempt(east, leaf, name)).resolves.toMatch(/^refused/);
    const presented = name === undefined ? "no tunnel name" : `the tunnel name ${name}`;
    await until(() => east.refusals.some(({ details }) => details["presented"] === presented));
    expect(east.refusals.find(({ details }) => details["presented"] === presented)).toMatchObject({
      message: "a tunnel was refused",
      details: { from: expect.stringContaining("127.0.0.1") },
    });
  });

  it("with the certificate of another connection's source", async () => {
    const { west, east } = await declaredPair();
    const other: WantedTarget = targetOf(west, east, {
      connection: "tenant/1/connections/admin-to-api",
      sources: [identity(west, "admin")],
    });
    apply(east, { targets: [targetOf(west, east), other] });
    const leaf = await createLeaf(west.root, workload(west, "web"), around());
    const name = tunnelName(chainId, other.connection, leaseOf(east));
    await expect(attempt(east, leaf, name)).resolves.toMatch(/^refused/);
    expect(east.refusals).toContainEqual(logged(other.connection, leaf));
  });

  it("with a certificate that has expired since, by resuming the session that it was admitted with", async () => {
    const { west, east } = await declaredPair();
    const name = tunnelName(chainId, connection, leaseOf(east));
    const notAfter = new Date(Date.now() + 8_000);
    const leaf = await createLeaf(west.root, workload(west, "web"), { ...around(), notAfter });
    given.length = 0;
    await expect(attempt(east, leaf, name)).resolves.toBe("accepts");
    expect(east.refusals).toEqual([]);
    // What TLS 1.3 hands out is an identifier that the server keeps nothing under.
    await until(() => given.length > 0);
    const [begun] = given;
    await until(() => new Date() > notAfterOf(leaf.certificate));
    await expect(attempt(east, leaf, name, begun)).resolves.toMatch(/^refused/);
    expect(east.refusals).toContainEqual(logged(connection, leaf));
  });

  it("by the source when the target is somebody else", async () => {
    const west = await datacenter("west");
    const east = await datacenter("east");
    const other = await datacenter("other");
    await serve(east, "api-0", 9000, echo);
    apply(east, { targets: [targetOf(west, east)] });
    const peer = { ...identity(east, "api"), roots: [other.root.certificate], addresses: [east.overlay.address] };
    apply(west, { sources: [sourceOf(west, east, { targets: [peer] })] });
    await until(() => west.refusals.some(({ message }) => message === "a tunnel's other end was refused"));
    expect(west.overlay.status().get(`source ${connection}`)).toMatchObject({
      established: false,
      message: expect.stringContaining("is not api of east"),
    });
  });
});
