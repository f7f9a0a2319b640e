import { createServer, type IncomingMessage } from "node:http";
import { type DeploymentId, parseDeploymentKey, signerFromPrivateKey } from "@dcx/protocol";
import { z } from "zod";
import { ManagedDeployment } from "./manage";

/** What a management workload finds in its environment: DCX_* from its datacenter, the others from its program. */
const Environment = z.looseObject({
  DCX_DEPLOYMENT: z.string(),
  DCX_BIND_ADDRESS: z.string().default("0.0.0.0"),
  PORT: z.coerce.number().default(7000),
  DCX_ENDPOINTS: z.string().transform((text) => text.split(",")),
  MANAGER_KEY: z.string(),
  /** JSON. */
  SETTINGS: z.string().transform((text): unknown => JSON.parse(text)),
});

export interface Workload<Settings> {
  readonly deployment: ManagedDeployment;
  readonly id: DeploymentId;
  readonly settings: Settings;
  /** Answers requests on the workload's port: a value is sent as JSON, undefined is 404. */
  serve(answer: (method: string, url: URL, body: unknown) => unknown): void;
  /** Does this every `milliseconds`, one at a time; a failure is logged and the next turn tries again. */
  repeat(milliseconds: number, work: () => Promise<void>): void;
}

/** Connects the management workload to its own deployment. Throws, naming the variable, where one is missing. */
export async function start<Settings>(schema: z.ZodType<Settings>): Promise<Workload<Settings>> {
  const environment = Environment.parse(process.env);
  const id = parseDeploymentKey(environment.DCX_DEPLOYMENT);
  const signer = await signerFromPrivateKey(environment.MANAGER_KEY);
  const deployment = await ManagedDeployment.connect(environment.DCX_ENDPOINTS, id, signer);
  process.on("SIGTERM", () => process.exit(0));
  return {
    deployment,
    id,
    settings: schema.parse(environment.SETTINGS),
    serve: (answer) => {
      const server = createServer((request, response) => {
        bodyOf(request)
          .then((body) => answer(request.method ?? "", new URL(request.url ?? "/", "http://here"), body))
          .then(
            (value) => {
              response.writeHead(value === undefined ? 404 : 200, { "content-type": "application/json" });
              response.end(`${JSON.stringify(value ?? null)}\n`);
            },
            (error: unknown) => {
              response.writeHead(400);
              response.end(`${String(error)}\n`);
            },
          );
      });
      server.listen(environment.PORT, environment.DCX_BIND_ADDRESS);
    },
    repeat: (milliseconds, work) => {
      const turn = async (): Promise<void> => {
        await work().catch((error: unknown) => console.error(String(error)));
        setTimeout(() => void turn(), milliseconds);
      };
      void turn();
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(Buffer.from(chunk));
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? undefined : JSON.parse(text);
}
