import { EventEmitter } from "node:events";
import { type Place, Turns } from "./turns";

describe("who fetches a manifest from a holder", () => {
  let turns: Turns;
  beforeEach(() => {
    jest.useFakeTimers();
    turns = new Turns();
  });
  afterEach(() => jest.useRealTimers());

  /** Who asks has a place at once. */
  async function admitted(peer: string, what = "m"): Promise<Place> {
    const place = await turns.admit(what, peer);
    if (place === undefined) throw new Error(`${peer} has no place`);
    return place;
  }
  const sentAway = async (peer: string) => expect(await turns.admit("m", peer)).toBeUndefined();
  /** What became so far of who waits in line. */
  function waiting(peer: string, patience: number, gone?: AbortSignal) {
    const outcome: { is: "waits" | "sent away" | "admitted" } = { is: "waits" };
    void turns.admit("m", peer, patience, gone).then((place) => {
      outcome.is = place === undefined ? "sent away" : "admitted";
    });
    return outcome;
  }
  const settle = () => jest.advanceTimersByTimeAsync(0);

  it("is two at a time, each until it says that it has all", async () => {
    const connection = new EventEmitter();
    (await admitted("a")).given(connection);
    await admitted("b");
    await sentAway("c");
    await admitted("c", "other");
    // What was given may be on its way for long.
    await jest.advanceTimersByTimeAsync(30_000);
    await sentAway("c");
    (await admitted("a")).given(connection);
    await sentAway("c");
    turns.done("m", "a");
    await admitted("c");
    expect(connection.listenerCount("close")).toBe(0);
  });

  it("is no more who goes away, or whom what was given never reached", async () => {
    const connection = new EventEmitter();
    (await admitted("a")).given(connection);
    (await admitted("a")).given(connection);
    const b = await admitted("b");
    expect(connection.listenerCount("close")).toBe(1);
    connection.emit("close");
    await admitted("c");
    b.end();
    await admitted("d");
    // Of a turn that is over.
    b.end();
    turns.done("m", "b");
    await sentAway("e");
  });

  it("gives way after a minute to who waits or was sent away", async () => {
    const a = await admitted("a");
    await admitted("b");
    await sentAway("c");
    await jest.advanceTimersByTimeAsync(60_001);
    await admitted("c");
    a.given(new EventEmitter());
    await sentAway("a");
  });

  it("keeps its place where nobody waits", async () => {
    const a = await admitted("a");
    await admitted("b");
    await jest.advanceTimersByTimeAsync(100_000);
    a.given(new EventEmitter());
    await jest.advanceTimersByTimeAsync(1);
    await admitted("a");
  });

  it("is next who waits longest, as soon as a place is free", async () => {
    const [a, b] = [await admitted("a"), await admitted("b")];
    const [c, d] = [waiting("c", 10_000), waiting("d", 10_000)];
    await jest.advanceTimersByTimeAsync(1_000);
    expect([c.is, d.is]).toEqual(["waits", "waits"]);
    a.end();
    await settle();
    expect([c.is, d.is]).toEqual(["admitted", "waits"]);
    // Nobody overtakes who is in line.
    b.end();
    await sentAway("e");
    expect(d.is).toBe("admitted");
  });

  it("is next who waits when another takes more than a minute", async () => {
    await admitted("slow");
    await jest.advanceTimersByTimeAsync(1_000);
    await admitted("b");
    const [c, d] = [waiting("c", 100_000), waiting("d", 100_000)];
    await jest.advanceTimersByTimeAsync(59_100);
    expect([c.is, d.is]).toEqual(["admitted", "waits"]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(d.is).toBe("admitted");
  });

  it("is sent away after its patience, and nobody holds a place for who has gone", async () => {
    const a = await admitted("a");
    await admitted("b");
    const gone = new AbortController();
    const [c, d, e] = [waiting("c", 500), waiting("d", 10_000, gone.signal), waiting("e", 10_000)];
    await jest.advanceTimersByTimeAsync(501);
    gone.abort();
    await settle();
    expect([c.is, d.is, e.is]).toEqual(["sent away", "sent away", "waits"]);
    a.end();
    await settle();
    expect(e.is).toBe("admitted");
  });

  it("waits once, however often it asks", async () => {
    const a = await admitted("a");
    await admitted("b");
    const [first, second] = [waiting("c", 10_000), waiting("c", 10_000)];
    await settle();
    expect([first.is, second.is]).toEqual(["sent away", "waits"]);
    a.end();
    await settle();
    expect(second.is).toBe("admitted");
  });

  it("is one of so many that wait, at most", async () => {
    await admitted("a");
    await admitted("b");
    const inLine = Array.from({ length: 251 }, (_, index) => waiting(`p${index}`, 10_000));
    await settle();
    expect(inLine.filter(({ is }) => is === "waits")).toHaveLength(250);
    expect(inLine.at(-1)?.is).toBe("sent away");
    await jest.advanceTimersByTimeAsync(10_001);
    expect(inLine.map(({ is }) => is)).not.toContain("waits");
  });
});
