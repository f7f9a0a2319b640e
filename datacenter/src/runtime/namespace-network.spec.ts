import { once } from "node:events";
import { createServer } from "node:net";
import { NamespaceNetwork } from "./namespace-network";
import { descendantsOf, isRunning } from "./processes";
import { programCommand } from "./programs";

const onLinux = process.platform === "linux" ? describe : describe.skip;

onLinux("an instance's network", () => {
  const helper = programCommand("network-helper", undefined);
  const helpers = () => descendantsOf(process.pid);

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  it("that is closed while several wait for its first helper leaves none behind", async () => {
    const before = helpers().length;
    const network = new NamespaceNetwork(async () => ({ key: "1", enter: [] }), helper);
    const asked = Promise.allSettled([network.dial(1), network.dial(1), network.dial(1)]);
    await until(() => helpers().length > before);
    const begun = helpers();
    await network.close();
    await asked;
    expect(begun.filter(isRunning)).toHaveLength(before);
    expect(helpers()).toHaveLength(before);
  });

  it("does not keep its owner from ending", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const held = () => process.getActiveResourcesInfo().filter((one) => one === "PipeWrap").length;
    const before = held();
    const network = new NamespaceNetwork(async () => ({ key: "1", enter: [] }), helper);
    const stream = await network.dial(typeof address === "object" && address !== null ? address.port : 0);
    expect(held()).toBe(before);
    stream.destroy();
    await network.close();
    server.close();
  });
});
