import type { Duplex } from "node:stream";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { type IResourceProviderServer, ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { Answers } from "./answers";
import { Cancellation } from "./cancellation";
import { EngineLog } from "./engine-log";
import { RequestError } from "./errors";
import { ProviderCalls, type ProviderSettings } from "./provider-calls";
import { Requests } from "./requests";
import { ResourceCalls } from "./resource-calls";

export interface RunningProvider {
  /** Takes over a connection that somebody has opened to this process. */
  readonly accept: (connection: Duplex) => void;
  readonly log: EngineLog;
  readonly cancellation: Cancellation;
  readonly requests: Requests;
  /** Stops at once; requests in flight are dropped. */
  close(): void;
}

/** Serves `pulumirpc.ResourceProvider` on connections that are handed to it. */
export function serve(settings: ProviderSettings): RunningProvider {
  const cancellation = new Cancellation();
  const log = new EngineLog();
  const requests = new Requests(cancellation, log, settings.trace);
  const provider = new ProviderCalls(settings, cancellation, log);
  const server = new Server({
    // Programs and states may be large; the engine sets no bound either.
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    // Nobody asks for its statistics, which cost something with each call.
    "grpc.enable_channelz": 0,
  });
  server.addService(ResourceProviderService, handlers(requests, provider));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept: (connection) => injector.injectConnection(connection),
    log,
    cancellation,
    requests,
    close: () => {
      injector.destroy();
      server.forceShutdown();
      log.close();
    },
  };
}

function handlers(requests: Requests, provider: ProviderCalls): IResourceProviderServer {
  const resources = new ResourceCalls(() => provider.backend());
  const components = new Answers();
  return {
    handshake: outsideCancellation((request) => provider.handshake(request)),
    attach: outsideCancellation((request) => provider.attach(request)),
    cancel: (_call, answer) => {
      const answered = provider.cancel();
      // An engine that stops closes the connection once this is answered, and says "client connection is closing" of
      // what is not.
      void components.settled().then(() => answer(null, answered));
    },
    getPluginInfo: outsideCancellation(() => provider.getPluginInfo()),
    getSchema: requests.unary((request) => provider.getSchema(request)),
    checkConfig: requests.unary((request) => provider.checkConfig(request)),
    diffConfig: requests.unary((request) => provider.diffConfig(request)),
    configure: requests.unary((request) => provider.configure(request)),
    getMapping: requests.unary(() => provider.getMapping()),
    getMappings: requests.unary(() => provider.getMappings()),
    check: requests.unary((request, context) => resources.check(request, context)),
    diff: requests.unary((request, context) => resources.diff(request, context)),
    create: requests.unary((request, context) => resources.create(request, context)),
    read: requests.unary((request, context) => resources.read(request, context)),
    update: requests.unary((request, context) => resources.update(request, context)),
    delete: requests.unary((request, context) => resources.delete(request, context)),
    invoke: requests.unary((request, context) => resources.invoke(request, context)),
    call: requests.unary(() => unimplemented("methods on resources; its functions are called by Invoke")),
    construct: components.track(
      requests.unary(async (request, context) => {
        // Loaded only for programs that have a component.
        const { construct } = await import("./component-calls.js");
        return construct(await provider.settings.components(), provider.reference, request, context);
      }),
    ),
    parameterize: requests.unary(() => unimplemented("parameters: it is the same for everybody")),
    list: requests.stream(async function* (request, context) {
      const { list } = await import("./list-calls.js");
      yield* list(() => provider.backend(), request, context);
    }),
  };
}

/** For what must work after Cancel too: a new session begins with these, and Cancel itself may come again. */
function outsideCancellation<Request, Response>(work: (request: Request) => Response) {
  return (call: { readonly request: Request }, answer: (error: null, response: Response) => void): void =>
    answer(null, work(call.request));
}

function unimplemented(what: string): never {
  throw new RequestError(status.UNIMPLEMENTED, `this version of the dcx plugin has no ${what}`);
}
