import { run } from "@bulkhead/sdk";
import { blackhole } from "./blackhole.ts";

run(blackhole);
