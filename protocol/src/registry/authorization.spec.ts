import { registryAuthorization, registryOrigin } from "./authorization";

const place = { host: "registry.example.org", repository: "acme/web" };
const credentials = { username: "acme", password: "hunter2" };
const basic = `Basic ${Buffer.from("acme:hunter2").toString("base64")}`;

/** What is asked for a token, and what it is given. */
function tokens(answer: object) {
  const asked: { readonly url: string; readonly headers: Record<string, string> }[] = [];
  const request = async (url: string, headers: Record<string, string>): Promise<Response> => {
    asked.push({ url, headers });
    return Response.json(answer);
  };
  return { asked, request };
}

describe("the authorization for a registry", () => {
  it("is the credentials themselves where it asks for those, and nothing where there are none", async () => {
    const { asked, request } = tokens({});
    await expect(registryAuthorization('Basic realm="x"', place, credentials, request)).resolves.toBe(basic);
    await expect(registryAuthorization('Basic realm="x"', place, undefined, request)).resolves.toBeUndefined();
    expect(asked).toEqual([]);
  });

  it("is a token from where its challenge says, for what it says", async () => {
    const { asked, request } = tokens({ token: "t1" });
    const challenge = 'Bearer realm="https://auth.example.org/token",service="registry",scope="repository:a/b:pull"';
    await expect(registryAuthorization(challenge, place, credentials, request)).resolves.toBe("Bearer t1");
    expect(asked).toEqual([
      {
        url: "https://auth.example.org/token?scope=repository%3Aa%2Fb%3Apull&service=registry",
        headers: { authorization: basic },
      },
    ]);
  });

  it("is asked for pulling the image without credentials where nothing else is known", async () => {
    const { asked, request } = tokens({ access_token: "t2" });
    const challenge = 'Bearer realm="https://auth.example.org/token"';
    await expect(registryAuthorization(challenge, place, undefined, request)).resolves.toBe("Bearer t2");
    expect(asked).toEqual([
      { url: "https://auth.example.org/token?scope=repository%3Aacme%2Fweb%3Apull", headers: {} },
    ]);
  });

  it("is not sent in clear, but for a registry of this machine, and the refusal does not tell it", async () => {
    const { asked, request } = tokens({ token: "t3" });
    const challenge = 'Bearer realm="http://auth.example.org/token"';
    const refused = registryAuthorization(challenge, place, credentials, request);
    await expect(refused).rejects.toThrow(
      "registry.example.org wants credentials sent without encryption, to http://auth.example.org",
    );
    await expect(refused).rejects.not.toThrow(/hunter2|acme/);
    expect(asked).toEqual([]);
    const local = { ...place, host: "127.0.0.1:5000" };
    await expect(registryAuthorization(challenge, local, credentials, request)).resolves.toBe("Bearer t3");
  });

  it("goes over TLS to every registry but one of this machine", () => {
    expect(registryOrigin("localhost:5000")).toBe("http://localhost:5000");
    expect(registryOrigin("127.0.0.1:5000")).toBe("http://127.0.0.1:5000");
    expect(registryOrigin("127.0.0.1.example.org")).toBe("https://127.0.0.1.example.org");
    expect(registryOrigin("registry.example.org")).toBe("https://registry.example.org");
  });
});
