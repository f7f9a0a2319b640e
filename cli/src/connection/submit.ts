import { type ExchangeQueryClient, type Message, SigningExchangeClient } from "@dcx/protocol";
import { type ConnectionOptions, connect } from "./exchange";
import { tenantSigner } from "./signer";

/** Signs one message as the account that the options name, waits for its block, and says which that is. */
export async function submitMessage(
  options: ConnectionOptions,
  messageFor: (client: ExchangeQueryClient, address: string, denomination: string) => Promise<Message> | Message,
): Promise<void> {
  using client = await connect(options);
  const { addressPrefix, denomination } = await client.parameters();
  const signer = await tenantSigner(options, addressPrefix);
  const signing = await SigningExchangeClient.connect(client, signer);
  const { hash, height } = await signing.submit([await messageFor(client, signer.address, denomination)]);
  process.stdout.write(`transaction ${hash} in block ${height}\n`);
}
