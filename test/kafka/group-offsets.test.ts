/** Committing in the name of a member, against a broker that the test plays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import { GroupOffsets } from "../../src/kafka/group/group-offsets.ts";
import { joinGroup } from "../../src/kafka/protocol/join-group.ts";
import { offsetCommit } from "../../src/kafka/protocol/offset-commit.ts";
import { Stage, timing } from "../harness/kafka/group-stage.ts";
import { lostError } from "../harness/kafka/scripted-transport.ts";

/** Offsets of a member that is stable, and what the broker answers to commits. */
async function offsetsOf(stage: Stage, codes: (number | Error)[], joined = async () => {}) {
  stage.transport.on(offsetCommit, ({ offsets }) => {
    const errorCode = codes.shift() ?? 0;
    if (errorCode instanceof Error) throw errorCode;
    return { partitions: offsets.map((each) => ({ ...each, errorCode })) };
  });
  await stage.stable();
  const { member, clock } = stage;
  const areGone = async (topics: readonly string[]) => topics.includes("deleted");
  return new GroupOffsets({ member, instanceId: null, timing, clock, joined, areGone });
}

const offsets = [{ topic: "t", partition: 0, offset: 3 }];

for (const { name, codes, error, state, tries = 1, topic = "t" } of [
  { name: "no fault stores it", codes: [], state: "stable" },
  { name: "a loading coordinator is asked again", codes: [14], state: "stable", tries: 2 },
  { name: "a moved coordinator is found again", codes: [16], state: "stable", tries: 2 },
  {
    name: "a lost connection is tried again",
    codes: [lostError(1, "cut")],
    state: "stable",
    tries: 2,
  },
  { name: "an old generation is fenced", codes: [22], error: /kafka.member_fenced/, state: "lost" },
  { name: "an unknown member is fenced", codes: [25], error: /kafka.member_fenced/, state: "lost" },
  {
    name: "a topic that is not known yet is asked for again",
    codes: [3],
    state: "stable",
    tries: 2,
  },
  {
    name: "a topic that is gone fails it at once",
    codes: [3],
    topic: "deleted",
    error: /kafka.broker_busy/,
    state: "stable",
  },
  {
    name: "a rebalance sends it back to poll",
    codes: [27],
    error: /kafka.broker_busy/,
    state: "rebalancing",
  },
  { name: "a fenced instance is told", codes: [82], error: /kafka.member_fenced/, state: "failed" },
  {
    name: "a topic that may not be read fails the commit alone",
    codes: [29],
    error: /kafka.broker_refused/,
    state: "stable",
  },
] as const) {
  test(`committing: ${name}`, async (t) => {
    const stage = new Stage(t);
    const stored = await offsetsOf(stage, [...codes]);
    let outcome: unknown;
    stored.commit([{ topic, partition: 0, offset: 3 }], 5_000).then(
      () => {
        outcome = "stored";
      },
      (cause) => {
        outcome = cause.code;
      },
    );
    await stage.until("an outcome", () => {
      stage.clock.pass(50);
      return outcome !== undefined;
    });
    assert.match(String(outcome), error ?? /stored/);
    assert.equal(stage.member.state.at, state);
    assert.equal(stage.transport.callsOf(offsetCommit).length, tries);
  });
}

test("an answer that leaves a partition out does not count it as committed", async (t) => {
  const stage = new Stage(t);
  const stored = await offsetsOf(stage, []);
  stage.transport.on(offsetCommit, ({ offsets: [first] }) => ({
    partitions: [{ ...first!, errorCode: 0 }],
  }));
  const both = [...offsets, { topic: "t", partition: 1, offset: 5 }];
  await assert.rejects(stored.commit(both, 5_000), /commit offset 5 of t-1/);
});

for (const { name, isSentBefore } of [
  { name: "waits for a join", isSentBefore: false },
  { name: "that a join overtakes is sent again", isSentBefore: true },
]) {
  test(`a commit ${name} and is stored in the next generation`, async (t) => {
    const stage = new Stage(t);
    const joined = deferred();
    const stored = await offsetsOf(stage, [], () => joined.promise);
    const commits = () => stage.transport.callsOf(offsetCommit);
    if (isSentBefore) stage.transport.on(offsetCommit, () => undefined);
    let commit = isSentBefore ? stored.commit(offsets, 5_000) : undefined;
    if (isSentBefore) await stage.until("the commit", () => commits().length === 1);
    stage.member.requestRejoin("a test");
    stage.joins.push("open");
    stage.member.join();
    await stage.until("the join", () => stage.transport.callsOf(joinGroup).length === 2);
    stage.transport.on(offsetCommit, ({ offsets: all }) => ({
      partitions: all.map((each) => ({ ...each, errorCode: 0 })),
    }));
    commits()[0]?.answer({ partitions: [{ ...offsets[0]!, errorCode: 22 }] });
    commit ??= stored.commit(offsets, 5_000);
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    assert.equal(commits().length, isSentBefore ? 1 : 0);
    stage.transport.callsOf(joinGroup)[1]?.answer({
      errorCode: 0,
      generation: 6,
      protocol: "p",
      leaderId: "other",
      isDealt: false,
      memberId: "m",
      members: [],
    });
    await stage.reach("assigned");
    joined.resolve();
    const sent = isSentBefore ? 2 : 1;
    await stage.until("the commit in the new generation", () => {
      stage.clock.pass(100);
      return commits().length === sent;
    });
    await commit;
    assert.equal(commits().at(-1)?.request.generation, 6);
  });
}
