import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, type MadeImage, makeImage, makeLayer, writeLayout } from "./made-image";
import { type ImageStore, openImageStore } from "./store";

let folder: string;
let home: string;
let image: MadeImage;
const servers: Server[] = [];

beforeAll(async () => {
  const lower = await makeLayer([
    { name: "run", content: "lower" },
    { name: "gone", content: "x" },
  ]);
  const upper = await makeLayer([
    { name: "run", content: "upper" },
    { name: ".wh.gone", content: "" },
  ]);
  image = makeImage([lower, upper], { Cmd: ["/run"], Env: ["A=b"], User: "1000" });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-store-"));
  home = join(folder, "store");
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
  rmSync(folder, { recursive: true, force: true });
});

const open = () => openImageStore({ home, layouts: [join(folder, "layouts")] });
const layout = (made: MadeImage, name = "example.org/app:1") => writeLayout(join(folder, "layouts", "app"), name, made);
const blobFile = (digest: string) => join(folder, "layouts", "app", "blobs", ...digest.split(":"));

async function expectNothingKept(store: ImageStore, name: string): Promise<void> {
  await expect(store.get(name)).rejects.toThrow(/has not been pulled/);
  expect(readdirSync(join(home, "unpacked"))).toEqual([]);
}

describe("from a layout", () => {
  test("an image whose description was lost with the machine's power is unpacked again", async () => {
    layout(image);
    const store = await open();
    const { rootfs } = await store.pull("example.org/app:1");
    writeFileSync(join(rootfs, "..", "image.json"), "");
    const [name] = readdirSync(join(home, "names"));
    writeFileSync(join(home, "names", name ?? ""), '{"na');
    await expect(store.get("example.org/app:1")).rejects.toThrow(/has not been pulled/);
    expect((await store.pull("example.org/app:1")).digest).toBe(image.digest);
    expect((await store.get("example.org/app:1")).digest).toBe(image.digest);
    expect(readFileSync(join(rootfs, "run"), "utf8")).toBe("upper");
  });

  test("an image that nothing runs from goes once it was not asked for a while, and can be had again", async () => {
    layout(image);
    const store = await open();
    await store.pull("example.org/app:1");
    const before = Date.now() - 60_000;
    expect(await store.clean(new Set(), before)).toEqual([]);
    const later = Date.now() + 60_000;
    expect(await store.clean(new Set([image.digest]), later)).toEqual([]);
    expect((await store.get("example.org/app:1")).digest).toBe(image.digest);
    expect(await store.clean(new Set(), later)).toEqual([image.digest]);
    await expectNothingKept(store, "example.org/app:1");
    expect(readdirSync(join(home, "names"))).toEqual([]);
    expect((await store.pull("example.org/app:1")).digest).toBe(image.digest);
  });

  test("an image is unpacked once, with its defaults, and known over restarts", async () => {
    layout(image);
    const pulled = await (await open()).pull("example.org/app:1");
    expect(pulled).toMatchObject({ digest: image.digest, command: ["/run"], environment: ["A=b"], user: "1000" });
    expect(readdirSync(pulled.rootfs)).toEqual(["run"]);
    expect(readFileSync(join(pulled.rootfs, "run"), "utf8")).toBe("upper");
    expect(await (await open()).get("example.org/app:1")).toEqual(pulled);
  });

  test.each([
    ["manifest", () => image.digest],
    ["layer", () => image.layers[1] ?? ""],
  ])("a %s that is not what its digest says is refused, and nothing of it is kept", async (_, digest) => {
    layout(image);
    const bytes = readFileSync(blobFile(digest()));
    // A blank at the end: still a manifest, still a layer.
    writeFileSync(blobFile(digest()), Buffer.concat([bytes, Buffer.from(" ")]));
    const store = await open();
    await expect(store.pull("example.org/app:1")).rejects.toThrow(/handed over|more than/);
    await expectNothingKept(store, "example.org/app:1");
  });

  test("a layer that was exchanged for one of the same size is refused", async () => {
    layout(image);
    const bytes = Buffer.from(readFileSync(blobFile(image.layers[1] ?? "")));
    // A gzip header's field for the operating system: it unpacks to the same.
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    writeFileSync(blobFile(image.layers[1] ?? ""), bytes);
    const store = await open();
    await expect(store.pull("example.org/app:1")).rejects.toThrow(new RegExp(`handed over ${digestOf(bytes)}`));
    await expectNothingKept(store, "example.org/app:1");
  });

  test("a layer that breaks off is refused, and the same image whole is had afterwards", async () => {
    layout(image);
    const file = blobFile(image.layers[0] ?? "");
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length / 2));
    const store = await open();
    await expect(store.pull("example.org/app:1")).rejects.toThrow(/can't be unpacked/);
    await expectNothingKept(store, "example.org/app:1");
    writeFileSync(file, bytes);
    await expect(store.pull("example.org/app:1")).resolves.toMatchObject({ digest: image.digest });
  });

  test("an honest digest of a layer that leads out of the image does not help it", async () => {
    layout(makeImage([await makeLayer([{ name: "../../../escaped", content: "x" }])]));
    const store = await open();
    await expect(store.pull("example.org/app:1")).rejects.toThrow(/outside itself/);
    await expectNothingKept(store, "example.org/app:1");
    expect(readdirSync(folder).sort()).toEqual(["layouts", "store"]);
  });
});

describe("from a registry", () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

  /** A read-only registry with one image, `app:1`. `before` may answer instead. Returns host and port. */
  async function registry(before: Answer = () => false, blobs = image.blobs): Promise<string> {
    return serve((request, response) => {
      const [, kind, reference = ""] = /^\/v2\/team\/app\/(manifests|blobs)\/(.+)$/.exec(request.url ?? "") ?? [];
      const bytes = blobs.get(kind === "manifests" && reference === "1" ? image.digest : reference);
      if (before(request, response)) {
        return;
      }
      response.statusCode = bytes === undefined ? 404 : 200;
      response.end(bytes);
    });
  }

  async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(answer);
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test("an image is had by tag and by digest", async () => {
    const host = await registry();
    const store = await open();
    const byTag = await store.pull(`${host}/team/app:1`);
    expect(byTag.digest).toBe(image.digest);
    expect(readFileSync(join(byTag.rootfs, "run"), "utf8")).toBe("upper");
    expect(await store.pull(`${host}/team/app@${image.digest}`)).toEqual(byTag);
  });

  test("something else under a digest is refused", async () => {
    const other = makeImage([await makeLayer([{ name: "run", content: "another" }])]);
    const lie = other.blobs.get(other.digest) ?? Buffer.alloc(0);
    const host = await registry(() => false, new Map([...other.blobs, [image.digest, lie]]));
    const store = await open();
    const name = `${host}/team/app@${image.digest}`;
    await expect(store.pull(name)).rejects.toThrow(`handed over ${other.digest} where ${image.digest} was asked for`);
    await expectNothingKept(store, name);
  });

  test("a layer that never ends is cut off", async () => {
    const host = await registry((request, response) => {
      if (request.url?.endsWith(image.layers[1] ?? "-") !== true) {
        return false;
      }
      response.write(image.blobs.get(image.layers[1] ?? ""));
      const more = setInterval(() => response.write(Buffer.alloc(1024)), 1);
      response.once("close", () => clearInterval(more));
      return true;
    });
    const store = await open();
    await expect(store.pull(`${host}/team/app:1`)).rejects.toThrow(/more than the \d+ bytes/);
    await expectNothingKept(store, `${host}/team/app:1`);
  });

  test("a connection that breaks in the middle of a layer fails the pull", async () => {
    const host = await registry((request, response) => {
      if (request.url?.endsWith(image.layers[1] ?? "-") !== true) {
        return false;
      }
      response.writeHead(200, { "content-length": "1000000" });
      response.write(image.blobs.get(image.layers[1] ?? "")?.subarray(0, 20), () => response.destroy());
      return true;
    });
    const store = await open();
    await expect(store.pull(`${host}/team/app:1`)).rejects.toThrow(/can't be unpacked/);
    await expectNothingKept(store, `${host}/team/app:1`);
  });

  test("a token is got with the credentials, which go nowhere else", async () => {
    const seen: string[] = [];
    const storage = await serve((request, response) => {
      seen.push(`storage ${request.headers.authorization}`);
      response.end(image.blobs.get((request.url ?? "").slice(1)));
    });
    const tokens = await serve((request, response) => {
      const url = new URL(request.url ?? "", "http://tokens");
      const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
      response.statusCode = request.headers.authorization === basic ? 200 : 401;
      seen.push(`token ${url.searchParams.get("service")} ${url.searchParams.get("scope")} ${response.statusCode}`);
      response.end(JSON.stringify({ token: "for-team-app" }));
    });
    const host = await registry((request, response) => {
      if (request.headers.authorization !== "Bearer for-team-app") {
        const challenge = `Bearer realm="http://${tokens}/token",service="reg",scope="repository:team/app:pull"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
        return true;
      }
      const blob = /\/blobs\/(.+)$/.exec(request.url ?? "")?.[1];
      if (blob !== undefined) {
        response.writeHead(307, { location: `http://${storage}/${blob}` }).end();
        return true;
      }
      return false;
    });
    const store = await open();
    const name = `${host}/team/app:1`;
    const refused = await store.pull(name, { username: "me", password: "wrong-word" }).catch((error: Error) => error);
    expect(String(refused)).toMatch(/refuses these credentials/);
    expect(String(refused)).not.toMatch(/wrong-word/);
    await expect(store.pull(name)).rejects.toThrow(/without credentials/);
    await expectNothingKept(store, name);
    const pulled = await store.pull(name, { username: "me", password: "secret" });
    expect(pulled.digest).toBe(image.digest);
    expect(seen).toContain("token reg repository:team/app:pull 200");
    expect(seen.filter((line) => line.startsWith("storage"))).toEqual(Array(3).fill("storage undefined"));
  });

  test("what is not there, and a registry that does not answer, are said", async () => {
    const host = await registry();
    const store = await open();
    await expect(store.pull(`${host}/team/none:1`)).rejects.toThrow(/has no such image/);
    await expect(store.pull("127.0.0.1:2/team/app:1")).rejects.toThrow(/can't be reached: .*ECONNREFUSED/);
  });
});
