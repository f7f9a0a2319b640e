import { createServer, Packet } from "dns2";

/** A name server on loopback with TXT records that can be changed. */
export class DnsServer {
  /** By name; "failing": it answers that it can't say. What is not here does not exist. */
  readonly records = new Map<string, readonly string[] | "failing">();
  readonly asked: string[] = [];
  readonly #server = createServer({
    udp: true,
    handle: (request, send) => {
      const response = Packet.createResponseFromRequest(request);
      for (const question of request.questions) {
        this.asked.push(question.name);
        const found = this.records.get(question.name);
        if (found === undefined) response.header.rcode = Packet.RCODE.NXDOMAIN;
        else if (found === "failing") response.header.rcode = Packet.RCODE.SERVFAIL;
        else
          response.answers.push(...found.map((data) => Packet.createResourceFromQuestion(question, { ttl: 1, data })));
      }
      send(response);
    },
  });
  #address = "";

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    await server.#server.listen({ udp: { port: 0, address: "127.0.0.1" } });
    server.#address = `127.0.0.1:${server.#server.addresses().udp?.port}`;
    return server;
  }

  /** As `ingress.resolvers` takes it. */
  get address(): string {
    return this.#address;
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}
