import { inFolder } from "../harness/log-place.ts";
import { testWatching } from "./watching.ts";

testWatching(inFolder);
