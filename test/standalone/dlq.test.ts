import { join } from "node:path";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import { testDlq } from "./dlq.ts";

testDlq({
  servers: async () => undefined,
  nameOf: (name) => name,
  open: (directory) => openEmbedded({ directory: join(directory, "log") }),
});
