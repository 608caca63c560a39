/** What `bulkhead write` asks of its producer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { producerSettings } from "../kafka/producer/producer-settings.ts";
import { writeConfig } from "./write.ts";

test("a cluster's producer takes the time-outs of the command", () => {
  assert.equal(producerSettings(writeConfig).deliveryMsMax, 30_000);
});
