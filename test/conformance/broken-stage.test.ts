import { testBreaks } from "./one-break.ts";

testBreaks(["stage"]);
