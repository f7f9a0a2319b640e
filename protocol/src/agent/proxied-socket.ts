import { request } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";

/** Characters of a proxy's reason that an error repeats. */
const longestReason = 300;

/**
 * A connection to `host:port` through an HTTP proxy (RFC 9110, section 9.3.6: CONNECT). What it carries is the
 * caller's: the proxy sees names and bytes, and nothing is believed because of it.
 * Throws the proxy's reason where it refuses, the error of the connection, or the signal's reason.
 * @param proxy an `http://` URL
 */
export function connectThroughProxy(proxy: URL, host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const asking = request({
      host: proxy.hostname.replace(/^\[|\]$/g, ""),
      port: Number(proxy.port || "80"),
      method: "CONNECT",
      path: authority,
      headers: { host: authority },
      agent: false,
      signal,
    });
    asking.once("error", (error) => reject(signal.aborted ? signal.reason : error));
    asking.once("connect", (answer, socket, head) => {
      if (answer.statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        // Of a plain HTTP request it is one.
        resolve(socket as Socket);
        return;
      }
      // What it says comes after the head, on the connection itself.
      void text(socket)
        .catch(() => "")
        .then((rest) => {
          const reason = `${head.toString()}${rest}`.trim().slice(0, longestReason);
          reject(new Error(`the proxy ${proxy.host} answers ${answer.statusCode} for ${authority}: ${reason}`));
        });
    });
    asking.end();
  });
}
