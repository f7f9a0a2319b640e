import { z } from "zod";
import { Service } from "./processes";

const Answer = z.union([z.object({ figure: z.number() }), z.object({ error: z.string() })]);

/** A program that measures in a network of its own, which needs no root where users may have namespaces. */
export class OwnNetwork {
  private constructor(private readonly driver: Service) {}

  /** Resolves when the program has said that it is ready. */
  static async start(program: string, args: readonly string[], logFile: string): Promise<OwnNetwork> {
    const own = process.getuid?.() === 0 ? ["--net"] : ["--map-root-user", "--net"];
    const command = [...own, process.execPath, program, ...args];
    const driver = Service.start("unshare", command, { logFile, messages: "ipc" });
    await driver.nextMessage();
    return new OwnNetwork(driver);
  }

  /** What it answers to a question. Rejects with what went wrong there. */
  async figure(question: object): Promise<number> {
    const answer = Answer.parse(await this.driver.ask(question));
    if ("error" in answer) throw new Error(answer.error);
    return answer.figure;
  }

  close(): Promise<void> {
    return this.driver.stop();
  }
}
