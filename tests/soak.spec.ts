import { drawMoments, momentText } from "./soak/moments";
import { Soak } from "./soak/soak";

jest.setTimeout(600_000);

/** Always the same here; `npm run soak` draws others, and as many as one likes. */
const moments = drawMoments(10, 1);

describe("a ten-resource stack that is killed: one more up, one deployment, an empty preview", () => {
  const lines: string[] = [];
  let soak: Soak | undefined;

  beforeAll(async () => {
    soak = await Soak.start((line) => lines.push(line));
  });
  afterAll(async () => soak?.close());

  test.each(moments.map((moment) => [momentText(moment), moment] as const))("%s", async (_text, moment) => {
    lines.length = 0;
    try {
      await soak?.survive(moment);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.stack : String(error)}\n${lines.join("\n")}`);
    }
  });
});
