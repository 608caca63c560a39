import { inFolder } from "../harness/log-place.ts";
import { testCondemned } from "./condemned.ts";

testCondemned(inFolder);
