import { inFolder } from "../harness/log-place.ts";
import { testRefusals } from "./rest.ts";

testRefusals(inFolder);
