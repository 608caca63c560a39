import { join } from "node:path";
import { openEmbedded } from "../src/embedded/embedded.ts";
import { testErrorGoldens } from "./error-goldens.ts";
import { inFolder } from "./harness/log-place.ts";

testErrorGoldens(inFolder, (directory) => openEmbedded({ directory: join(directory, "log") }));
