import { test } from "node:test";
import { inFolder } from "../harness/log-place.ts";
import { startMemoryRest } from "../harness/memory-rest.ts";
import { checkRecordings } from "./check-recordings.ts";
import { testHostAnswers } from "./host-answers.ts";

/** They need tasks that really run, or fail. */
const needsPlugins = (name: string) =>
  name.startsWith("flow-") || name === "status-failed-task" || name === "topics-source";

test("the REST layer over a herder in memory answers as recorded", async () => {
  const rest = await startMemoryRest();
  try {
    await checkRecordings(rest.url, { only: (name) => !needsPlugins(name) });
  } finally {
    await rest.close();
  }
});

testHostAnswers(inFolder);
