/** A broker that keeps one group and answers as a test wants, and a member on a clock of its own. */
import type { TestContext } from "node:test";
import { GroupMember } from "../../../src/kafka/group/group-member.ts";
import type { GroupMemberOptions } from "../../../src/kafka/group/group-member-options.ts";
import { heartbeat } from "../../../src/kafka/protocol/heartbeat.ts";
import { joinGroup } from "../../../src/kafka/protocol/join-group.ts";
import { leaveGroup } from "../../../src/kafka/protocol/leave-group.ts";
import { syncGroup } from "../../../src/kafka/protocol/sync-group.ts";
import { silentLogger } from "../../../src/observe/logger.ts";
import { FakeClock } from "../fake-clock.ts";
import { waitFor } from "../wait-for.ts";
import { ScriptedTransport } from "./scripted-transport.ts";

/** A consumer's, with round numbers. */
export const timing = {
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 3_000,
  rebalanceTimeoutMs: 60_000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  retryBackoffMsMax: 1_000,
};
/** What SyncGroup gives a member when nobody dealt anything out. */
export const share = Buffer.from("share");

/** A broker whose answers a test changes as it goes, and a member that has not joined yet. */
export class Stage {
  readonly transport = new ScriptedTransport();
  readonly clock = new FakeClock();
  readonly member: GroupMember;
  /** What JoinGroup, SyncGroup and Heartbeat answer, one after the other; afterwards 0. */
  readonly joins: (number | Error | "open")[] = [];
  readonly syncs: (number | Error | "open")[] = [];
  readonly beats: (number | Error | "open")[] = [];
  leaderId = "m";
  generation = 4;

  constructor(t: TestContext, options: Partial<GroupMemberOptions> = {}) {
    const next = (codes: (number | Error | "open")[]) => {
      const code = codes.shift() ?? 0;
      if (code instanceof Error) throw code;
      return code;
    };
    this.transport.on(joinGroup, ({ protocols }) => {
      const errorCode = next(this.joins);
      if (errorCode === "open") return undefined;
      if (errorCode === 0) this.generation += 1;
      return {
        errorCode,
        generation: this.generation,
        protocol: protocols[0]!.name,
        leaderId: this.leaderId,
        isDealt: false,
        memberId: "m",
        members: [{ memberId: "m", instanceId: null, metadata: protocols[0]!.metadata }],
      };
    });
    this.transport.on(syncGroup, ({ assignments }) => {
      const errorCode = next(this.syncs);
      if (errorCode === "open") return undefined;
      return { errorCode, assignment: assignments[0]?.assignment ?? share };
    });
    this.transport.on(heartbeat, () => {
      const errorCode = next(this.beats);
      return errorCode === "open" ? undefined : { errorCode };
    });
    this.transport.on(leaveGroup, () => ({ errorCode: 0 }));
    this.member = new GroupMember({
      transport: this.transport,
      clientId: "c",
      groupId: "g",
      protocolType: "consumer",
      instanceId: null,
      timing,
      logger: silentLogger(),
      clock: this.clock,
      offer: async () => [{ name: "p", metadata: Buffer.from("wish") }],
      assign: async () => new Map([["m", Buffer.from("dealt")]]),
      onChange: () => {},
      ...options,
    });
    t.after(() => this.member.leave());
  }

  /** Until its state is that one; the sleepers of a join are woken on the way. */
  async reach(at: string): Promise<void> {
    await this.until(at, () => this.member.state.at === at);
  }

  /** @throws Error after 20 s */
  async until(what: string, condition: () => boolean): Promise<void> {
    await waitFor(condition, {
      withinMs: 20_000,
      what: `${what} (${this.member.state.at})`,
      everyMs: 1,
    });
  }

  /** Joins and takes its share. */
  async stable(): Promise<void> {
    this.member.join();
    await this.reach("assigned");
    this.member.take();
    await this.until("the clock's sleepers", () => this.clock.sleepsMs.length >= 2);
  }

  /** Time passes tick by tick, with every heartbeat answered. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.pass(Math.min(left, 500));
      for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    }
  }

  get beatCount(): number {
    return this.transport.callsOf(heartbeat).length;
  }
}
