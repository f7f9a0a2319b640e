import { createServer, Packet } from "dns2";

/** A name server on loopback that knows TXT records, which can be changed, and nothing else. */
export class DnsServer {
  readonly records = new Map<string, readonly string[]>();
  readonly #server = createServer({
    udp: true,
    handle: (request, send) => {
      const response = Packet.createResponseFromRequest(request);
      for (const question of request.questions) {
        const found = this.records.get(question.name) ?? [];
        response.answers.push(...found.map((data) => Packet.createResourceFromQuestion(question, { ttl: 1, data })));
      }
      send(response);
    },
  });

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    await server.#server.listen({ udp: { port: 0, address: "127.0.0.1" } });
    return server;
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${this.#server.addresses().udp?.port}`;
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}
