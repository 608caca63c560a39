import { openEmbedded } from "../../src/embedded/embedded.ts";
import { testPreviewSinks } from "./preview-sinks.ts";

testPreviewSinks({
  servers: async () => undefined,
  nameOf: (name) => name,
  open: (directory) => openEmbedded({ directory }),
});
