import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectorName } from "../state/id.ts";
import { newLeader } from "./assign.ts";
import { type GroupProtocolName, lead } from "./lead.ts";
import { decodeAssignment, decodeMetadata } from "./protocol.ts";
import { noWork, sorted, workIn } from "./work.ts";

interface RecordedRound {
  readonly leader: string;
  readonly generation: number;
  readonly generationBefore: number;
  readonly atMs: number;
  readonly protocol: GroupProtocolName;
  readonly configured: Readonly<Record<string, readonly number[]>>;
  readonly members: Readonly<Record<string, string>>;
  readonly assignments: Readonly<Record<string, string>>;
}

const { runs } = JSON.parse(
  readFileSync(new URL("../../test/goldens/connect-rounds.json", import.meta.url), "utf8"),
) as { runs: Record<string, RecordedRound[]> };

/** `scheduled.rebalance.max.delay.ms` of the recorded worker. */
const delayMsMax = 300_000;

const membersOf = (round: RecordedRound) =>
  new Map(
    Object.entries(round.members).map(([id, hex]) => [id, decodeMetadata(Buffer.from(hex, "hex"))]),
  );

/** The order of connectors is that of a Java hash set. */
function comparable(bytes: Uint8Array) {
  const { assigned, revoked, ...rest } = decodeAssignment(bytes);
  return { ...rest, assigned: sorted(workIn(assigned)), revoked: sorted(workIn(revoked)) };
}

for (const [run, rounds] of Object.entries(runs)) {
  test(`each round gives every member what Apache's worker gave it: ${run}`, () => {
    assert.ok(rounds.length >= 8);
    let [memory, leader] = [newLeader, ""];
    for (const round of rounds) {
      // Another process remembers nothing.
      if (round.leader !== leader) memory = newLeader;
      leader = round.leader;
      const members = membersOf(round);
      const items = Object.entries(round.configured).map(([name, instances]) => ({
        connector: connectorName(name),
        instances,
      }));
      const led = lead(memory, {
        protocol: round.protocol,
        leader: { id: leader, url: members.get(leader)?.url ?? "" },
        members,
        configs: {
          offset: Math.max(...[...members.values()].map(({ configOffset }) => configOffset)),
          configured: workIn(items),
          isFresh: false,
        },
        generationBefore: round.generationBefore,
        generation: round.generation,
        nowMs: round.atMs,
        delayMsMax,
      });
      memory = led.memory;
      const given = [...led.assignments].map(([id, bytes]) => [id, comparable(bytes)] as const);
      const wanted = Object.entries(round.assignments).map(
        ([id, hex]) => [id, comparable(Buffer.from(hex, "hex"))] as const,
      );
      const byId = <T>(entries: readonly (readonly [string, T])[]) => Object.fromEntries(entries);
      assert.deepEqual(byId(given), byId(wanted), `generation ${round.generation}`);
    }
  });
}

test("a leader that knows less than a member gives nothing, and says how far to read", () => {
  const round = runs["sessioned"]?.at(-1) as RecordedRound;
  const led = lead(newLeader, {
    protocol: "sessioned",
    leader: { id: "a", url: "http://a:1/" },
    members: membersOf(round),
    configs: { offset: 15, configured: noWork, isFresh: true },
    generationBefore: 1,
    generation: 2,
    nowMs: 0,
    delayMsMax,
  });
  const [bytes] = led.assignments.values();
  const { error, configOffset, assigned, revoked } = decodeAssignment(bytes as Uint8Array);
  assert.deepEqual([error, configOffset, assigned, revoked], ["config-mismatch", 16, [], []]);
  assert.deepEqual([led.memory, led.owned.size], [newLeader, 0]);
});

test("a leader that has just read further tells how far", () => {
  const round = runs["sessioned"]?.at(-1) as RecordedRound;
  const members = membersOf(round);
  const led = lead(newLeader, {
    protocol: "compatible",
    leader: { id: "a", url: "http://a:1/" },
    members,
    configs: { offset: 99, configured: noWork, isFresh: true },
    generationBefore: 1,
    generation: 2,
    nowMs: 0,
    delayMsMax,
  });
  const [bytes] = led.assignments.values();
  const { version, configOffset } = decodeAssignment(bytes as Uint8Array);
  assert.deepEqual([version, configOffset], [1, 99]);
});
