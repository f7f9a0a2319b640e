/** The thread that writes one snapshot and ends. */
import { workerData } from "node:worker_threads";
import { z } from "zod";
import { writeSnapshot } from "./write";

const { database, folder } = z.object({ database: z.string(), folder: z.string() }).parse(workerData);
writeSnapshot(database, folder);
