/** Bytes of a record's and of a handshake message's head: enough to see what somebody begins with. */
export const headLength = 9;

/** Bytes of a client hello. Real ones are smaller than 4 KiB; OpenSSL would take 128 KiB. */
const longestHello = 16_384;

/**
 * Why what somebody begins with is no client hello that is worth reading; undefined: it may be one. OpenSSL reads it, and
 * no more of it than the length that is looked at here. RFC 8446, 4 and 5.1.
 */
export function helloProblem(head: Uint8Array): string | undefined {
  if (head.length < headLength) return "it went away before it had said anything";
  const [type, major, , , , message] = head;
  if (type !== 22 || major !== 3 || message !== 1) return "it does not speak TLS";
  const length = ((head[6] ?? 0) << 16) | ((head[7] ?? 0) << 8) | (head[8] ?? 0);
  return length > longestHello ? `its client hello has ${length} bytes, more than ${longestHello}` : undefined;
}
