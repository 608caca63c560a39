import { run } from "@bulkhead/sdk";
import { datagen } from "./datagen.ts";

run(datagen);
