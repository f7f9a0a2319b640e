import { parseImageReference } from "./image";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("an image reference", () => {
  it.each([
    ["nginx:1.27", { repository: "nginx", tag: "1.27" }],
    ["library/nginx:1", { repository: "library/nginx", tag: "1" }],
    ["ghcr.io/acme/web:1.4", { registry: "ghcr.io", repository: "acme/web", tag: "1.4" }],
    ["localhost/web:1", { registry: "localhost", repository: "web", tag: "1" }],
    ["localhost:5000/web:1", { registry: "localhost:5000", repository: "web", tag: "1" }],
    [`acme/web@${digest}`, { repository: "acme/web", digest }],
    [
      `r.example:443/a/b__c/d-e.f:v1_2-x.Y@${digest}`,
      { registry: "r.example:443", repository: "a/b__c/d-e.f", tag: "v1_2-x.Y", digest },
    ],
  ])("is %p", (text, reference) => {
    expect(parseImageReference(text)).toEqual(reference);
  });

  it.each([
    ["", "it is empty"],
    ["nginx", "write nginx:latest"],
    ["nginx:", '"" is not a tag'],
    ["nginx:-1", "is not a tag"],
    ["nginx: 1", "white space"],
    ["https://ghcr.io/acme/web:1", "leave out the scheme"],
    ["acme/Web:1", "must be in lower case"],
    ["acme//web:1", "not a part of a repository's name"],
    ["/web:1", "not a part of a repository's name"],
    ["-host.io/web:1", "not a registry's host"],
    ["web@sha256:123", "not a digest"],
    [`web@${digest.toUpperCase()}`, "not a digest"],
    [`web@${digest}@${digest}`, "not a digest"],
    [`${"a".repeat(300)}:1`, "longer than 255"],
    [`${"a/".repeat(300)}a:1`, "longer than 512"],
  ])("is not %p", (text, reason) => {
    expect(parseImageReference(text)).toEqual({ problem: expect.stringContaining(reason) });
  });
});
