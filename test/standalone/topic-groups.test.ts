import { join } from "node:path";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import { inFolder } from "../harness/log-place.ts";
import { testTopicGroups } from "./topic-groups.ts";

testTopicGroups(inFolder, (directory) => openEmbedded({ directory: join(directory, "log") }));
