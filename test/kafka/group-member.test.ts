/** The member of a group against brokers that the test plays, on a clock of its own. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { within } from "../../src/base/deadline.ts";
import { brokerCode } from "../../src/kafka/broker-error.ts";
import { joinGroup } from "../../src/kafka/protocol/join-group.ts";
import { leaveGroup } from "../../src/kafka/protocol/leave-group.ts";
import { syncGroup } from "../../src/kafka/protocol/sync-group.ts";
import { Stage, share, timing } from "../harness/kafka/group-stage.ts";
import { lostError } from "../harness/kafka/scripted-transport.ts";

test("a new member is given its id, comes back with it at once, and gets its share", async (t) => {
  const stage = new Stage(t);
  stage.joins.push(brokerCode.memberIdRequired);
  stage.leaderId = "other";
  stage.member.join();
  await stage.reach("assigned");
  const joins = stage.transport.callsOf(joinGroup);
  assert.deepEqual(
    joins.map(({ request }) => request.memberId),
    ["", "m"],
  );
  // A moment more than the broker may wait for the others.
  assert.equal(joins[0]?.timeoutMs, timing.rebalanceTimeoutMs + 5_000);
  assert.deepEqual(stage.transport.callsOf(syncGroup)[0]?.request.assignments, []);
  assert.deepEqual(stage.member.state, {
    at: "assigned",
    given: { generation: 5, memberId: "m", leaderId: "other", protocol: "p", assignment: share },
  });
  stage.member.take();
  assert.equal(stage.member.state.at, "stable");
});

test("a worker's group of protocol type connect gets and gives its bytes untouched", async (t) => {
  const file = new URL("../goldens/connect-protocol.json", import.meta.url);
  const golden = JSON.parse(await readFile(file, "utf8"));
  const bytes = (hex: string) => Buffer.from(hex, "hex");
  const { join, assignment } = golden;
  let seen: unknown;
  const stage = new Stage(t, {
    protocolType: join.protocolType,
    groupId: join.group,
    timing: {
      ...timing,
      sessionTimeoutMs: join.sessionTimeoutMs,
      rebalanceTimeoutMs: join.rebalanceTimeoutMs,
    },
    offer: async () =>
      join.protocols.map(({ name, metadata }: { name: string; metadata: string }) => ({
        name,
        metadata: bytes(metadata),
      })),
    assign: async (protocol, members) => {
      seen = {
        protocol,
        metadata: members.map(({ metadata }) => Buffer.from(metadata).toString("hex")),
      };
      return new Map([["m", bytes(assignment)]]);
    },
  });
  stage.member.join();
  await stage.reach("assigned");
  const { request } = stage.transport.callsOf(joinGroup)[0]!;
  const { protocols, instanceId, memberId, groupId, reason, ...rest } = request;
  assert.deepEqual([groupId, memberId, instanceId, reason], [join.group, "", null, null]);
  const { group: _, protocols: offered, ...expected } = join;
  assert.deepEqual(rest, expected);
  assert.deepEqual(
    protocols.map(({ name, metadata }) => ({
      name,
      metadata: Buffer.from(metadata).toString("hex"),
    })),
    offered,
  );
  assert.deepEqual(seen, { protocol: "sessioned", metadata: [offered[0].metadata] });
  const { state } = stage.member;
  assert.ok(state.at === "assigned");
  assert.equal(Buffer.from(state.given.assignment).toString("hex"), assignment);
});

for (const { name, of, answer, ends, again = [], isForgotten = false } of [
  { name: "a rebalance during the join", of: "syncs", answer: 27, ends: "assigned", again: ["m"] },
  { name: "a coordinator that loads", of: "joins", answer: 14, ends: "assigned", again: [""] },
  {
    name: "a coordinator that is none",
    of: "joins",
    answer: 15,
    ends: "assigned",
    again: [""],
    isForgotten: true,
  },
  {
    name: "a coordinator that moved",
    of: "syncs",
    answer: 16,
    ends: "assigned",
    again: ["m"],
    isForgotten: true,
  },
  {
    name: "a connection that is lost",
    of: "joins",
    answer: lostError(1, "cut"),
    ends: "assigned",
    again: [""],
    isForgotten: true,
  },
  { name: "an unknown member", of: "joins", answer: 25, ends: "lost" },
  { name: "an unknown member that syncs", of: "syncs", answer: 25, ends: "lost" },
  { name: "an old generation", of: "syncs", answer: 22, ends: "lost" },
  { name: "a fenced instance", of: "joins", answer: 82, ends: "failed" },
  { name: "no common protocol", of: "joins", answer: 23, ends: "failed" },
  { name: "a session time-out out of range", of: "joins", answer: 26, ends: "failed" },
  { name: "a group that may not be read", of: "joins", answer: 30, ends: "failed" },
  { name: "a full group", of: "joins", answer: 81, ends: "failed" },
] as const) {
  test(`joining: ${name} ends as ${ends}${again.length > 0 ? " at a second try" : ""}`, async (t) => {
    const stage = new Stage(t);
    stage[of].push(answer);
    stage.member.join();
    await stage.until(ends, () => {
      stage.clock.pass(100);
      return stage.member.state.at === ends;
    });
    const joins = stage.transport.callsOf(joinGroup).map(({ request }) => request.memberId);
    assert.deepEqual(joins, ["", ...again]);
    assert.equal(stage.transport.map.forgotten.length > 0, isForgotten);
  });
}

for (const { name, answer, ends, isForgotten = false } of [
  { name: "a rebalance", answer: 27, ends: "rebalancing" },
  { name: "an unknown member", answer: 25, ends: "lost" },
  { name: "an old generation", answer: 22, ends: "lost" },
  { name: "a fenced instance", answer: 82, ends: "failed" },
  { name: "a right that was taken away", answer: 30, ends: "failed" },
  { name: "a coordinator that loads", answer: 14, ends: "stable" },
  { name: "a coordinator that moved", answer: 16, ends: "stable", isForgotten: true },
  { name: "a lost connection", answer: lostError(1, "cut"), ends: "stable", isForgotten: true },
] as const) {
  test(`heartbeats: ${name} makes a member ${ends}`, async (t) => {
    const stage = new Stage(t);
    await stage.stable();
    stage.beats.push(answer);
    await stage.pass(3_000);
    await stage.until(ends, () => stage.beatCount === 1 && stage.member.state.at === ends);
    assert.equal(stage.transport.map.forgotten.length > 0, isForgotten);
    if (ends !== "stable") return;
    // What may pass is not waited for until the next beat is due.
    await stage.pass(timing.retryBackoffMs);
    await stage.until("the next beat", () => stage.beatCount === 2);
  });
}

test("a beat that comes late is a beat: the clock throws nobody out", async (t) => {
  const stage = new Stage(t);
  await stage.stable();
  stage.clock.pass(10 * timing.sessionTimeoutMs);
  await stage.until("a beat", () => stage.beatCount === 1);
  assert.equal(stage.member.state.at, "stable");
});

test("what an earlier self is told late says nothing about the member", async (t) => {
  const stage = new Stage(t);
  await stage.stable();
  const before = stage.member.membership!;
  stage.member.requestRejoin("a test");
  stage.member.join();
  await stage.reach("assigned");
  stage.member.heard(brokerCode.unknownMemberId, before);
  assert.equal(stage.member.state.at, "assigned");
  stage.member.heard(brokerCode.unknownMemberId, stage.member.membership!);
  assert.equal(stage.member.state.at, "lost");
});

test("heartbeats pass a join that waits for the others, and a silent broker is asked anew", async (t) => {
  const stage = new Stage(t);
  await stage.stable();
  stage.member.requestRejoin("a test");
  stage.joins.push("open", "open");
  stage.member.join();
  await stage.until("the join", () => stage.transport.callsOf(joinGroup).length === 2);
  stage.beats.push(brokerCode.rebalanceInProgress);
  await stage.pass(3_000);
  await stage.until("a beat", () => stage.beatCount === 1);
  assert.equal(stage.member.state.at, "joining");
  for (let n = 0; n < 200; n += 1) stage.beats.push(lostError(1, "no answer"));
  await stage.pass(timing.sessionTimeoutMs + timing.heartbeatIntervalMs);
  await stage.until("another join", () => stage.transport.callsOf(joinGroup).length === 3);
  assert.equal(stage.transport.callsOf(joinGroup)[1]?.isOpen, false);
});

test("a user that stays away for the rebalance time-out makes its member leave", async (t) => {
  const stage = new Stage(t);
  await stage.stable();
  stage.member.userLeft();
  await stage.pass(timing.rebalanceTimeoutMs - 1_000);
  assert.equal(stage.member.state.at, "stable");
  stage.member.userBack();
  stage.member.userLeft();
  await stage.pass(timing.rebalanceTimeoutMs);
  await stage.reach("lost");
  await stage.until("the leave", () => stage.transport.callsOf(leaveGroup).length === 1);
  stage.member.userBack();
  stage.member.join();
  await stage.reach("assigned");
  assert.equal(stage.transport.callsOf(joinGroup).at(-1)?.request.memberId, "");
});

test("time in which the process stood still is not counted against its user", async (t) => {
  const stage = new Stage(t);
  await stage.stable();
  stage.member.userLeft();
  stage.clock.pass(10 * timing.rebalanceTimeoutMs);
  await stage.until("a beat", () => stage.beatCount === 1);
  await stage.pass(3_000);
  assert.equal(stage.member.state.at, "stable");
});

for (const { name, instanceId, leaves } of [
  { name: "leaves its group", instanceId: null, leaves: 1 },
  {
    name: "with an instance id keeps its place until its session ends",
    instanceId: "i",
    leaves: 0,
  },
]) {
  test(`a member that is closed ${name}, also out of a join that waits`, async (t) => {
    const stage = new Stage(t, { instanceId });
    await stage.stable();
    stage.member.requestRejoin("a test");
    stage.joins.push("open");
    stage.member.join();
    await stage.until("the join", () => stage.transport.callsOf(joinGroup).length === 2);
    await stage.member.leave();
    assert.equal(stage.transport.callsOf(leaveGroup).length, leaves);
    assert.equal(stage.member.state.at, "left");
  });
}

for (const { name, offer, isSilent } of [
  { name: "its topics are looked for", offer: () => new Promise<never>(() => {}), isSilent: false },
  { name: "its group's broker is looked for", offer: async () => [], isSilent: true },
]) {
  test(`a member that is closed while ${name} waits for no answer`, async (t) => {
    const stage = new Stage(t, { offer });
    stage.transport.map.isSilent = isSilent;
    stage.member.join();
    const left = stage.member.leave().then(() => "left");
    assert.equal(await within(left, 20_000, "waits"), "left");
  });
}

test("a failure to deal out is tried again when it may pass", async (t) => {
  let tries = 0;
  const stage = new Stage(t, {
    assign: async () => {
      tries += 1;
      if (tries === 1) throw lostError(1, "no map");
      return new Map([["m", share]]);
    },
  });
  stage.member.join();
  await stage.until("the share", () => {
    stage.clock.pass(100);
    return stage.member.state.at === "assigned";
  });
  assert.equal(tries, 2);
});
