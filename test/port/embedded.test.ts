/** The port over the embedded log. */
import { describe } from "node:test";
import { openLog } from "../harness/embedded-log.ts";
import { testDeadLetters } from "./dead-letters.ts";
import { testGroups } from "./groups.ts";
import type { LogPort } from "./log-port.ts";
import { testRecords } from "./records.ts";
import { testTopicLogs } from "./topic-logs.ts";

const port: LogPort = { open: (t) => openLog(t), nameOf: (what) => what };

describe("the embedded log", () => {
  testRecords(port);
  testGroups(port);
  testTopicLogs(port);
  testDeadLetters(port);
});
