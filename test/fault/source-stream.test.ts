import { inFolder } from "../harness/log-place.ts";
import { testSourceStream } from "./source-stream.ts";

testSourceStream(inFolder, "all");
