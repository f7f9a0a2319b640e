import { createServer, type Server } from "node:net";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { ConfigureRequest, ProviderHandshakeRequest } from "@pulumi/pulumi/proto/provider_pb";
import type { ProviderConfiguration } from "../configuration/configuration";
import type { Backend, LoadBackend } from "../server/backend";
import { type RunningProvider, serve } from "../server/serve";
import { encode } from "../wire/codec";
import type { ValueMap } from "../wire/value";
import { FakeEngine } from "./fake-engine";
import { ask, listen, type Method } from "./grpc";

/** A plugin in this process, asked over real gRPC as the engine asks one. */
export class Plugin {
  readonly #listener: Server;
  #dead: ((error: Error) => void) | undefined;
  /** Rejects once the plugin is killed. */
  readonly #death = new Promise<never>((_resolve, reject) => {
    this.#dead = reject;
  });

  private constructor(
    readonly engine: FakeEngine,
    readonly provider: RunningProvider,
    readonly client: ResourceProviderClient,
    listener: Server,
  ) {
    this.#listener = listener;
    this.#death.catch(() => {});
  }

  /** Started and introduced to an engine; not configured yet. */
  static async start(load: LoadBackend, environment: NodeJS.ProcessEnv = {}): Promise<Plugin> {
    const engine = new FakeEngine();
    await engine.start();
    const provider = serve({
      version: "1.2.3",
      environment,
      load,
      components: async () => new Map(),
      schema: async () => '{"name":"dcx"}',
    });
    const listener = createServer(provider.accept);
    const port = await listen(listener);
    // With a pool of its own: an earlier plugin that was killed may have had this port, and its connection wait to be tried
    // again.
    const options = { "grpc.use_local_subchannel_pool": 1 };
    const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure(), options);
    const plugin = new Plugin(engine, provider, client, listener);
    await plugin.handshake();
    return plugin;
  }

  /** One that is configured and does with its network what `backend` says. */
  static async on(backend: (configuration: ProviderConfiguration) => Backend): Promise<Plugin> {
    const plugin = await Plugin.start(async (configuration) => backend(configuration));
    await plugin.configure();
    return plugin;
  }

  handshake() {
    const request = new ProviderHandshakeRequest();
    request.setEngineAddress(this.engine.address);
    return this.call(this.client.handshake, request);
  }

  configure(args: ValueMap = { network: "embedded" }) {
    const request = new ConfigureRequest();
    request.setArgs(encode(args));
    return this.call(this.client.configure, request);
  }

  call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return Promise.race([ask(this.client, method, request), this.#death]);
  }

  /** What a call fails with. Throws where it does not fail. */
  async failure<Request, Response>(method: Method<Request, Response>, request: Request): Promise<ServiceError> {
    try {
      await this.call(method, request);
    } catch (error) {
      return error as ServiceError;
    }
    throw new Error("it succeeded");
  }

  /** All that it said to the person until now. */
  get said(): string {
    return this.engine.lines.map(({ message }) => message).join("\n");
  }

  /** As SIGKILL: what is in flight is never answered. */
  kill(): void {
    this.#dead?.(new Error("the plugin was killed"));
    this.close();
  }

  close(): void {
    this.client.close();
    this.provider.close();
    this.#listener.close();
    this.engine.close();
  }
}
