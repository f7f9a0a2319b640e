import { PageRequest, type PageResponse } from "../generated/dcx/exchange/v1/query";

/**
 * The items of all pages, one after another:
 * `for await (const order of pages((page) => client.orders({ page }), (answer) => answer.orders))`.
 * The pages are read as they are asked for, each from the state of its own moment. `pageSize`: at most 1000.
 */
export async function* pages<Answer extends { page: PageResponse | undefined }, Item>(
  ask: (page: PageRequest) => Promise<Answer>,
  items: (answer: Answer) => readonly Item[],
  pageSize = 500,
): AsyncGenerator<Item, void, undefined> {
  let key = new Uint8Array();
  do {
    const answer = await ask(PageRequest.fromPartial({ key, limit: pageSize }));
    yield* items(answer);
    key = Uint8Array.from(answer.page?.nextKey ?? []);
  } while (key.length > 0);
}
