import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkDatacenter } from "./check";
import { parseConfiguration } from "./configuration";

const folder = mkdtempSync(join(tmpdir(), "dcx-check-spec-"));
const keyFile = join(folder, "key.json");
beforeAll(() => writeFileSync(keyFile, JSON.stringify({ privateKey: "0a".repeat(32) }), { mode: 0o600 }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(changes: object, offline = true) {
  const configuration = parseConfiguration({
    chain: { endpoints: ["http://127.0.0.1:1"] },
    keyFile,
    home: join(folder, "home", "deeper"),
    region: "us-west",
    capacity: { cpu: 1, memory: "1Gi", disk: "1Gi" },
    isolation: "none",
    ...changes,
  });
  const findings = await checkDatacenter(configuration, { offline, patience: 100 });
  return Object.fromEntries(findings.map(({ message, state, what }) => [what, `${state}: ${message}`]));
}

test("a check says what was found, and what is not as one may expect", async () => {
  expect(await check({})).toEqual({
    key: expect.stringMatching(/^good: dcx1/),
    home: expect.stringMatching(/^good: .*deeper, to be made$/),
    isolation: "warning: none, workloads are not kept apart: it serves nobody, for `trustedTenants` is empty",
    addresses: "warning: 127.0.0.1:0: reached from this machine only",
  });
});

test("a check says what keeps a datacenter from running", async () => {
  chmodSync(keyFile, 0o644);
  try {
    const found = await check(
      {
        listen: { agent: "0.0.0.0:8443" },
        imageLayouts: ["/no/such/folder"],
        pricing: { strategy: "script", command: ["/no/such/program"] },
      },
      false,
    );
    expect(found).toMatchObject({
      key: expect.stringMatching(/^bad: .*can be read by others/),
      addresses: expect.stringMatching(/^bad: advertise.agentUrls is needed/),
      "images in /no/such/folder": "bad: there is no such folder",
      pricing: "bad: /no/such/program is no program that this user can run",
      exchange: expect.stringMatching(/^bad: /),
    });
  } finally {
    chmodSync(keyFile, 0o600);
  }
});
