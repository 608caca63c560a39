import { run } from "@bulkhead/sdk";
import { stdioSink } from "./stdio-sink.ts";
import { stdioSource } from "./stdio-source.ts";

run([stdioSource, stdioSink], { name: "stdio", version: "0.1.0" });
