/**
 * Records what the SDKs say on a stage's stream into `test/goldens/spoken`, as record-spoken.ts does for the rest.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { HostEnd } from "../../sdk/typescript/test/host-end.ts";
import { Encoding } from "../../src/plugin/gen/bulkhead/plugin/v1/record_pb.ts";
import {
  StageMessageSchema,
  StageOperation,
} from "../../src/plugin/gen/bulkhead/plugin/v1/stage_pb.ts";
import { runGo } from "./go.ts";
import { repository } from "./host-process.ts";
import { pythonEnvironment } from "./python.ts";

/** As long as this checkout's folder, whose name nobody has to know. */
const somewhere = `/${"x".repeat(repository.replace(/\/$/, "").length - 1)}`;
const { python } = await pythonEnvironment();
const folder = join(repository, "test", "fixtures", "spoken");
const go = join(repository, ".tools", "spoken-stages-go");
await runGo(["build", "-trimpath", "-o", go, "./stages"], join(folder, "go"));

for (const [language, command] of [
  ["typescript", [process.execPath, "stages.mjs"]],
  ["python", [python, "stages.py"]],
  ["go", [go]],
] as const) {
  const messages: { is: string; hex: string }[] = [];
  const host = await HostEnd.listen({
    heartbeatMs: 60_000,
    heard(stream, bytes) {
      if (stream !== "Stage") return;
      const { kind } = fromBinary(StageMessageSchema, bytes);
      const said = bytes
        .toString("latin1")
        .replaceAll(repository.replace(/\/$/, ""), somewhere)
        // The ticket, so that the same is recorded each time.
        .replace(/[0-9a-f]{64}/, "0".repeat(64));
      messages.push({
        is: kind.case ?? "nothing",
        hex: Buffer.from(said, "latin1").toString("hex"),
      });
    },
  });
  const child = host.spawn(command, { cwd: folder });
  child.stderr?.pipe(process.stderr);
  try {
    await live(host);
  } finally {
    await host.close();
  }
  const file = join(repository, "test", "goldens", "spoken", `${language}-stages.json`);
  await writeFile(file, `${JSON.stringify(messages, undefined, 2)}\n`);
  process.stdout.write(`${language}: ${messages.length} messages of a stage\n`);
}

async function live(host: HostEnd): Promise<void> {
  await host.accepted();
  const asked = { stageId: "s", alias: "a", className: "spoken.Stage" };
  const stage = await host.openStage("c", asked);
  await stage.inbox.next("started");
  stage.send({ case: "topic", value: { id: 1, topic: "t" } });
  stage.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
  const values = ["same", "drop", "bad", "new"];
  const columns = {
    count: 4,
    arena: Buffer.from(`k${values.join("")}`),
    keySizes: [2, 0, 0, 0],
    keyForms: [1, 0, 0, 0],
    valueSizes: values.map((text) => text.length + 1),
    valueForms: [1],
    topics: [1],
    partitions: [3],
    timestamps: [1_700_000_000_000n],
  };
  const batch = { seq: 1n, operation: StageOperation.APPLY, columns };
  stage.send({ case: "batch", value: batch });
  await stage.inbox.next("result");
  await host.request("c", { case: "closeStage", value: { stageId: "s" } });
  await stage.inbox.ended();
}
