import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { RegistryTagResolver } from "./tag-resolver";

const digest = `sha256:${"9c1f".repeat(16)}`;
const signal = new AbortController().signal;

describe("tags", () => {
  let server: Server;
  let host: string;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`.trim());
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    host = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const resolve = async (resolver: RegistryTagResolver, ...images: string[]): Promise<unknown> =>
    Object.fromEntries(
      await resolver.resolve(
        images.map((image) => ({ image, credentials: undefined })),
        signal,
      ),
    );

  it("are what their registry says, asked once for each", async () => {
    answer = (_request, response) => response.writeHead(200, { "docker-content-digest": digest }).end();
    const resolver = new RegistryTagResolver();
    const image = `${host}/acme/web:1.5`;
    expect(await resolve(resolver, image, image)).toEqual({ [image]: digest });
    expect(await resolve(resolver, image)).toEqual({ [image]: digest });
    expect(asked).toEqual(["HEAD /v2/acme/web/manifests/1.5"]);
  });

  it("of a private repository are asked for with its credentials, where the challenge says", async () => {
    answer = (request, response) => {
      if (request.url?.startsWith("/token")) {
        response.end(JSON.stringify({ token: request.headers.authorization === basic ? "good" : "bad" }));
      } else if (request.headers.authorization === "Bearer good") {
        response.writeHead(200, { "docker-content-digest": digest }).end();
      } else {
        const challenge = `Bearer realm="http://${host}/token",service="r",scope="repository:acme/web:pull"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
      }
    };
    const basic = `Basic ${Buffer.from("robot:hunter2").toString("base64")}`;
    const image = `${host}/acme/web:1.5`;
    const credentials = { username: "robot", password: "hunter2" };
    const resolver = new RegistryTagResolver();
    expect([...(await resolver.resolve([{ image, credentials }], signal))]).toEqual([[image, digest]]);
    expect(asked).toEqual([
      "HEAD /v2/acme/web/manifests/1.5",
      `GET /token?scope=repository%3Aacme%2Fweb%3Apull&service=r ${basic}`,
      "HEAD /v2/acme/web/manifests/1.5 Bearer good",
    ]);
    expect([...(await resolver.resolve([{ image, credentials: undefined }], signal))]).toEqual([]);
  });

  it("are left out where the registry is silent, which is asked once and not waited for", async () => {
    answer = () => {};
    const resolver = new RegistryTagResolver(1000);
    expect(await resolve(resolver, `${host}/acme/web:1`)).toEqual({});
    expect(await resolve(resolver, `${host}/acme/web:2`)).toEqual({});
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["says that there is no such tag", 404, {}],
    ["refuses", 403, {}],
    ["answers nonsense", 200, { "docker-content-digest": "nonsense" }],
  ])("are left out where the registry %s", async (_what, status, headers) => {
    answer = (_request, response) => response.writeHead(status, headers).end();
    expect(await resolve(new RegistryTagResolver(), `${host}/acme/web:1`)).toEqual({});
  });

  it("with a digest, or under names that nobody can have, are not asked for", async () => {
    answer = (_request, response) => response.writeHead(200, { "docker-content-digest": digest }).end();
    const images = [`${host}/acme/web@${digest}`, "dcx.example/web:1", "r.test:5000/web:1"];
    expect(await resolve(new RegistryTagResolver(), ...images)).toEqual({});
    expect(asked).toEqual([]);
  });
});
