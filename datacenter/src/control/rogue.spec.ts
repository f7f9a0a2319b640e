import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { openHome } from "../home/home";
import { controlSocket } from "./protocol";
import { type Control, startControl } from "./server";

/** What a broken program of the agent's own user does to the control socket; nobody else reaches it. */
describe("the control socket, to a rogue", () => {
  let folder: string;
  let control: Control;
  const log: { msg: string; code?: string }[] = [];
  const done: string[] = [];
  const sockets: Socket[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-control-"));
    await openHome(folder).close();
    const logger = pino({ level: "info" }, { write: (line: string) => void log.push(JSON.parse(line)) });
    const actions = {
      status: () => ({ address: "a", chainId: "c", height: "1", leases: 0, bids: 0, instances: 0 }),
      drain: () => void done.push("drain"),
      resume: () => void done.push("resume"),
      rotateRoot: async () => void done.push("rotate"),
    };
    control = await startControl(folder, actions, async () => ({ text: "", type: "text/plain" }), logger, 500);
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    expect(done).toEqual([]);
    log.length = 0;
  });
  afterAll(async () => {
    await control.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function answerTo(text: string): Promise<string> {
    const socket = connect(join(folder, controlSocket));
    sockets.push(socket.on("error", () => undefined));
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString();
      socket.end();
    });
    socket.write(text);
    await once(socket, "close");
    return answer;
  }
  const post = (path: string, body: string, length = body.length) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;

  it("lies in a folder that nobody else enters", () => {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it("malformed: does nothing", async () => {
    expect(await answerTo("nonsense\r\n\r\n")).toMatch(/ 400 /);
    expect(log).toMatchObject([{ msg: "a request to the control socket can't be read" }]);
    for (const path of ["/drain", "/rotate-root"]) {
      for (const body of ["{", "[]", '{"overlap":-1}', '{"exit":"yes"}']) {
        expect(await answerTo(post(path, body))).toMatch(/ 400 /);
      }
    }
  });

  it("oversized: reads none of it", async () => {
    expect(await answerTo(post("/drain", "{", 2 ** 30))).toMatch(/ 413 /);
  });

  it("slow and half-open: is let go, and the log says so", async () => {
    await answerTo("POST /drain HTTP/1.1\r\nhost: a\r\n");
    expect(log[0]).toMatchObject({ code: "ERR_HTTP_REQUEST_TIMEOUT" });
  });
});
