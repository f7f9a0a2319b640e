/** How many holders are asked for one manifest at a time. */
export const lines = 4;

/**
 * In which order a holder asks the others. All of them stand in one ring, by address; each asks first those that are so
 * many places on as the powers of a number up to the ring's size. So each is asked first by as many as it asks itself,
 * whoever has a manifest is asked by somebody, and all have it after a number of steps that grows with the logarithm of
 * theirs. The rest follow at random: some of the first may be away.
 */
export function peerOrder(own: string, peers: readonly string[]): readonly string[] {
  const ring = [...peers, own].sort();
  const place = ring.indexOf(own);
  const first = new Set<string>();
  let step = 0;
  for (let line = 0; line < lines; line += 1) {
    step = Math.max(step + 1, Math.round(ring.length ** (line / lines)));
    const peer = ring[(place + step) % ring.length];
    if (peer !== undefined && peer !== own && step < ring.length) first.add(peer);
  }
  const rest = peers.filter((peer) => !first.has(peer));
  for (let index = rest.length - 1; index > 0; index -= 1) {
    const other = Math.floor(Math.random() * (index + 1));
    const [one, two] = [rest[index], rest[other]];
    if (one !== undefined && two !== undefined) [rest[index], rest[other]] = [two, one];
  }
  return [...first, ...rest];
}
