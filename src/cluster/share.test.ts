import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectorName } from "../state/id.ts";
import {
  decodeAssignment,
  decodeMetadata,
  type GroupAssignment,
  type MemberMetadata,
} from "./protocol.ts";
import { metadataOf, noShare, type Share, taken } from "./share.ts";
import { noWork, sorted, type Work, workIn } from "./work.ts";

interface RecordedRound {
  readonly generation: number;
  readonly members: Readonly<Record<string, string>>;
  readonly assignments: Readonly<Record<string, string>>;
}

const { runs } = JSON.parse(
  readFileSync(new URL("../../test/goldens/connect-rounds.json", import.meta.url), "utf8"),
) as { runs: Record<string, RecordedRound[]> };

const bytes = (hex: string) => Buffer.from(hex, "hex");

/** The order of connectors is that of a Java hash set. */
function comparable({ running, ...rest }: MemberMetadata) {
  return {
    ...rest,
    running: running && { ...running, assigned: sorted(workIn(running.assigned)) },
  };
}

for (const [run, rounds] of Object.entries(runs)) {
  test(`a member says of itself what Apache's worker said after the same rounds: ${run}`, () => {
    const shares = new Map<string, Share>();
    let compared = 0;
    for (const { generation, members, assignments } of rounds) {
      for (const [id, hex] of Object.entries(members)) {
        const said = decodeMetadata(bytes(hex));
        const share = shares.get(id);
        // Between two rounds that it led, others may have led some.
        const isNext =
          share !== undefined && rounds.some((one) => one.generation === generation - 1);
        if (isNext) {
          assert.deepEqual(comparable(metadataOf(share, said)), comparable(said), `${generation}`);
          compared += 1;
        }
        const given = decodeAssignment(bytes(assignments[id] ?? ""));
        const work = workIn(said.running?.assigned ?? []);
        shares.set(id, taken({ work, given: null }, given).share);
      }
    }
    assert.ok(compared >= 7);
  });
}

const given: GroupAssignment = {
  version: 2,
  error: "none",
  leader: "a",
  leaderUrl: "http://a:1/",
  configOffset: 3,
  assigned: [],
  revoked: [],
  delayMs: 0,
};
const a = connectorName("a");
const b = connectorName("b");
const both: Work = { connectors: [a, b], tasks: ["a-0", "b-0"] };

test("what is given comes to what it has, and only what is revoked goes", () => {
  const share = { work: both, given };
  const result = taken(share, {
    ...given,
    assigned: [{ connector: a, instances: [1] }],
    revoked: [{ connector: b, instances: [-1, 0, 7] }],
  });
  assert.deepEqual(result.revoked, { connectors: [b], tasks: ["b-0"] });
  assert.deepEqual(result.share.work, { connectors: [a], tasks: ["a-0", "a-1"] });
});

test("at level 0 what is given is all there is", () => {
  const items = [{ connector: a, instances: [0] }];
  const result = taken({ work: both, given }, { ...given, version: 0, assigned: items });
  assert.deepEqual(result.share.work, { connectors: [], tasks: ["a-0"] });
  assert.deepEqual(result.revoked, { connectors: [a, b], tasks: ["b-0"] });
});

test("a worker that was never given anything says nothing of what it runs, another that it is nothing", () => {
  const member = { version: 2, url: "http://a:1/", configOffset: -1 };
  assert.equal(metadataOf(noShare, member).running, null);
  const none = taken(noShare, given).share;
  assert.deepEqual(none.work, noWork);
  assert.deepEqual(metadataOf(none, member).running, given);
  assert.equal(metadataOf(none, { ...member, version: 0 }).running, null);
});
