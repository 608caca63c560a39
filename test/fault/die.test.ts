import { inFolder } from "../harness/log-place.ts";
import { testDeaths } from "./deaths.ts";

testDeaths(inFolder, "all");
