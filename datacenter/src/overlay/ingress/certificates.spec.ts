import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDatacenterRoot, createHostLeaf } from "@dcx/protocol";
import { folder, serving, start } from "./testing/started";
import { aroundNow, domain, until } from "./testing/world";

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
