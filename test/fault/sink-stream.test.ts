import { inFolder } from "../harness/log-place.ts";
import { testSinkStream } from "./sink-stream.ts";

testSinkStream(inFolder, "all");
