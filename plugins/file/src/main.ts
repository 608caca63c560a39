import { run } from "@bulkhead/sdk";
import { fileSink } from "./file-sink.ts";
import { fileSource } from "./file-source.ts";

run([fileSource, fileSink]);
