/**
 * One member of a group by Kafka's classic protocol, for every protocol type: what members offer and
 * are given is bytes here.
 *
 * Nothing happens to whoever uses it by itself. The state says what is to be done next, and the user
 * does it in its own time: give up what has to be given up, `join`, `take`. Meanwhile heartbeats keep
 * the member alive; a user that does not come back in time leaves the group.
 */
import { Backoff } from "../../base/backoff.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { unlessAborted, within } from "../../base/deadline.ts";
import { errorLine, FencedError, RetriableError } from "../../base/error.ts";
import { Scope } from "../../base/scope.ts";
import { brokerError } from "../broker-error.ts";
import type { Connections } from "../calls.ts";
import { heartbeat } from "../protocol/heartbeat.ts";
import { type JoinGroupResponse, joinGroup } from "../protocol/join-group.ts";
import { leaveGroup } from "../protocol/leave-group.ts";
import { syncGroup } from "../protocol/sync-group.ts";
import { LastingTrouble } from "../reader/lasting-trouble.ts";
import { GroupCaller } from "./group-caller.ts";
import type { GroupMemberOptions } from "./group-member-options.ts";
import { reactionTo } from "./group-reaction.ts";
import type { MemberState, Membership } from "./member-state.ts";
import { UserWatch } from "./user-watch.ts";

/** How long a leave is waited for; a broker that does not hear it finds out by the session. */
const leaveMsMax = 5_000;

export class GroupMember {
  readonly caller: GroupCaller;
  /** Heartbeats and offsets. A JoinGroup waits for the others and blocks what is behind it. */
  readonly connections: Connections;
  readonly #options: GroupMemberOptions;
  readonly #joinConnections: Connections;
  readonly #clock: Clock;
  readonly #scope = new Scope();
  readonly #trouble = new LastingTrouble();
  #state: MemberState = { at: "outside" };
  #memberId = "";
  #membership: Membership | undefined;
  /** Ends the join that is under way. */
  #attempt = new AbortController();
  #isBeating = false;
  #heardMs = 0;
  readonly #userWatch: UserWatch;
  /** Why it joins again, if that was its own wish. */
  #reason: string | null = null;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { transport, clientId, config, groupId, timing } = options;
    this.#userWatch = new UserWatch({
      clock: this.#clock,
      awayMsMax: timing.rebalanceTimeoutMs,
      tickMs: timing.heartbeatIntervalMs,
      onExpired: () => this.#expire(),
    });
    this.caller = new GroupCaller(transport, groupId);
    const role = { clientId, ...(config && { config }) };
    this.#joinConnections = transport.connections(role);
    this.connections = transport.connections(role);
    this.#scope.defer(() => this.#joinConnections.close());
    this.#scope.defer(() => this.connections.close());
  }

  get state(): MemberState {
    return this.#state;
  }

  /** Undefined while it is none. During a join that of the generation before. */
  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** When the group's broker last answered, by the clock's `elapsedMs`. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Begins to join, unless that is under way or the share has only to be taken. */
  join(): void {
    const { at } = this.#state;
    if (at === "joining" || at === "assigned" || at === "stable" || at === "left") return;
    this.#become({ at: "joining" });
    this.#startJoin();
    if (this.#isBeating) return;
    this.#isBeating = true;
    this.#scope.spawn((signal) => this.#beat(signal), this.#onFailure);
    this.#scope.spawn((signal) => this.#userWatch.run(signal), this.#onFailure);
  }

  /**
   * Waits no longer for a join. What is held is still the member's as far as it was before: offsets can
   * be committed before it leaves.
   */
  stopJoining(): void {
    if (this.#state.at !== "joining") return;
    this.#attempt.abort();
    this.#become({ at: this.#membership === undefined ? "outside" : "rebalancing" });
  }

  /** The share is in force. */
  take(): void {
    if (this.#state.at === "assigned") this.#become({ at: "stable" });
  }

  /** Asks the group for another generation. */
  requestRejoin(why: string): void {
    if (this.#state.at !== "stable" && this.#state.at !== "assigned") return;
    this.#options.logger.info(`joins its group again: ${why}`);
    this.#reason = why;
    this.#become({ at: "rebalancing" });
  }

  /**
   * The user is busy with something else than waiting for its group. If that lasts longer than the
   * rebalance time-out, the member leaves, because the others wait for it no longer.
   */
  userLeft(): void {
    this.#userWatch.left();
  }

  userBack(): void {
    this.#userWatch.back();
  }

  /** A code that came back to something asked as `as`. Late answers to an earlier self say nothing. */
  heard(code: number, as: Membership): void {
    const { at } = this.#state;
    const isIn = at === "stable" || at === "assigned" || at === "rebalancing";
    const reaction = reactionTo(code);
    if (reaction === "find") this.caller.forget();
    if (!isIn || as !== this.#membership) return;
    switch (reaction) {
      case "rejoin":
        if (at !== "rebalancing") this.#become({ at: "rebalancing" });
        return;
      case "stale":
      case "unknown":
        this.#lose(brokerError(code, this.#staying));
        if (reaction === "unknown") this.#memberId = "";
        return;
      case "fenced":
        this.#fail(fenced(this.caller.groupId, this.#options.instanceId));
        return;
      case "fatal":
        this.#fail(brokerError(code, this.#staying));
        return;
      default:
    }
  }

  /** Ends the membership; a member with an instance id keeps its place until its session ends. */
  async leave(): Promise<void> {
    if (this.#state.at === "left") return;
    this.#attempt.abort();
    this.#become({ at: "left" });
    await this.#sendLeave();
    this.#membership = undefined;
    await this.#scope.close();
    this.#options.onLeft?.();
  }

  #startJoin(): void {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#scope.spawn(
      (signal) => this.#joinUntilDone(AbortSignal.any([signal, attempt.signal])),
      this.#onFailure,
    );
  }

  async #joinUntilDone(signal: AbortSignal): Promise<void> {
    const { retryBackoffMs: firstMs, retryBackoffMsMax } = this.#options.timing;
    const backoff = new Backoff({ firstMs, maxMs: Math.max(firstMs, retryBackoffMsMax) });
    while (!signal.aborted) {
      let isSoon = false;
      try {
        isSoon = (await this.#joinOnce(signal)) === "again";
        if (!isSoon) return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof RetriableError)) {
          this.#fail(error);
          return;
        }
        this.#tell(error);
      }
      if (!isSoon) await this.#clock.sleep(backoff.nextDelayMs(), signal);
    }
  }

  /** @throws RetriableError for what may pass, anything else for what will not */
  async #joinOnce(signal: AbortSignal): Promise<"done" | "again"> {
    const { timing, groupId, ...options } = { ...this.#options, groupId: this.caller.groupId };
    const protocols = await unlessAborted(this.#options.offer(), signal);
    const { sessionTimeoutMs, rebalanceTimeoutMs, requestTimeoutMs } = timing;
    const request = {
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.#memberId,
      instanceId: options.instanceId,
      protocolType: options.protocolType,
      protocols,
      reason: this.#reason,
    };
    // As Java: a moment more than the broker may take to wait for the others.
    const timeoutMs = Math.max(requestTimeoutMs, rebalanceTimeoutMs + 5_000);
    const joined = await this.caller.call(this.#joinConnections, joinGroup, request, {
      timeoutMs,
      signal,
    });
    if (reactionTo(joined.errorCode) === "named") this.#memberId = joined.memberId;
    const next = this.#react(joined.errorCode, "join");
    if (next !== "none") return next;
    this.#trouble.over();
    this.#heardMs = this.#clock.elapsedMs();
    this.#memberId = joined.memberId;
    this.#membership = { memberId: joined.memberId, generation: joined.generation };
    return this.#sync(joined, signal);
  }

  async #sync(joined: JoinGroupResponse, signal: AbortSignal): Promise<"done" | "again"> {
    const { memberId, leaderId, generation, protocol, members, isDealt } = joined;
    const isLeader = memberId === leaderId;
    const dealing = isLeader ? this.#options.assign(protocol, members, isDealt) : [];
    const shares = await unlessAborted(Promise.resolve(dealing), signal);
    const request = {
      groupId: this.caller.groupId,
      generation,
      memberId,
      instanceId: this.#options.instanceId,
      assignments: [...shares].map(([id, assignment]) => ({ memberId: id, assignment })),
    };
    const synced = await this.caller.call(this.#joinConnections, syncGroup, request, { signal });
    const next = this.#react(synced.errorCode, "get its share of");
    if (next !== "none") return next;
    const { assignment } = synced;
    const given = { generation, memberId, leaderId, protocol, assignment };
    const as = isLeader ? "its leader" : "a member";
    this.#reason = null;
    this.#options.logger.info(
      { member: memberId, generation, protocol },
      `joined group ${this.caller.groupId} as ${as}`,
    );
    this.#become({ at: "assigned", given });
    return "done";
  }

  /** What a code in answer to a join means: go on, again at once, or it is over. @throws to pause */
  #react(code: number, doing: string): "none" | "again" | "done" {
    const what = `${doing} ${this.caller.describe(this.#joinConnections)}`;
    const reaction = reactionTo(code);
    switch (reaction) {
      case "none":
        return "none";
      case "named":
      case "rejoin":
        return "again";
      case "stale":
      case "unknown":
        if (reaction === "unknown") this.#memberId = "";
        this.#lose(brokerError(code, what));
        return "done";
      case "find":
        this.caller.forget();
        throw brokerError(code, what);
      case "fenced":
        throw fenced(this.caller.groupId, this.#options.instanceId);
      default:
        throw brokerError(code, what);
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { heartbeatIntervalMs, retryBackoffMs } = this.#options.timing;
    let delayMs = heartbeatIntervalMs;
    while (!signal.aborted) {
      await this.#clock.sleep(delayMs, signal);
      const as = this.#membership;
      if (signal.aborted || as === undefined) continue;
      const isHeard = await this.#beatOnce(as, signal);
      delayMs = isHeard ? heartbeatIntervalMs : retryBackoffMs;
    }
  }

  /** A beat that comes late is a beat: only the group says who is out. */
  async #beatOnce(as: Membership, signal: AbortSignal): Promise<boolean> {
    const { timing, instanceId } = this.#options;
    const request = { groupId: this.caller.groupId, ...as, instanceId };
    const timeoutMs = Math.min(timing.requestTimeoutMs, Math.ceil(timing.sessionTimeoutMs / 2));
    try {
      const options = { timeoutMs, signal };
      const { errorCode } = await this.caller.call(this.connections, heartbeat, request, options);
      this.heard(errorCode, as);
      const reaction = reactionTo(errorCode);
      if (reaction === "later" || reaction === "find") {
        throw brokerError(errorCode, this.#staying);
      }
      this.#heardMs = this.#clock.elapsedMs();
      if (this.#state.at !== "joining") this.#trouble.over();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (error instanceof RetriableError) this.#beatFailed(error);
      else if (as === this.#membership) this.#fail(error);
      return false;
    }
  }

  /** A join that waits at a broker which has been silent for a whole session is asked anew. */
  #beatFailed(error: RetriableError): void {
    this.#tell(error);
    if (this.#state.at !== "joining") return;
    const silentMs = this.#clock.elapsedMs() - this.#heardMs;
    if (silentMs < this.#options.timing.sessionTimeoutMs) return;
    this.#heardMs = this.#clock.elapsedMs();
    this.#attempt.abort();
    this.#startJoin();
  }

  #expire(): void {
    const { at } = this.#state;
    if (at === "outside" || at === "lost" || at === "failed" || at === "left") return;
    const { rebalanceTimeoutMs } = this.#options.timing;
    this.#options.logger.warn(
      { rebalanceTimeoutMs },
      "has not come back to its group in time (max.poll.interval.ms), leaving it",
    );
    this.#attempt.abort();
    this.#scope.spawn(() => this.#sendLeave(), this.#onFailure);
    this.#memberId = "";
    this.#membership = undefined;
    this.#become({ at: "lost" });
  }

  async #sendLeave(): Promise<void> {
    const memberId = this.#memberId;
    const { instanceId, logger } = this.#options;
    if (memberId === "" || instanceId !== null) return;
    const request = { groupId: this.caller.groupId, memberId, instanceId };
    try {
      const options = { timeoutMs: leaveMsMax };
      const leaving = this.caller.call(this.connections, leaveGroup, request, options);
      // Also where the coordinator has to be looked for first.
      await within(leaving, leaveMsMax, undefined);
    } catch (error) {
      logger.debug({ reason: errorLine(error) }, "could not say goodbye");
    }
  }

  #lose(why: Error): void {
    const { logger } = this.#options;
    logger.warn({ reason: why.message }, "was thrown out of its group");
    this.#membership = undefined;
    this.#become({ at: "lost" });
  }

  #fail(error: unknown): void {
    if (this.#state.at === "left") return;
    this.#attempt.abort();
    this.#membership = undefined;
    this.#become({ at: "failed", error });
  }

  readonly #onFailure = (error: unknown): void => this.#fail(error);

  get #staying(): string {
    return `stay in ${this.caller.describe(this.connections)}`;
  }

  #tell(error: RetriableError): void {
    const told = this.#trouble.failed(this.#clock.elapsedMs());
    if (told === undefined) return;
    const { lastedMs } = told;
    this.#options.logger[told.level](
      { reason: errorLine(error), lastedMs },
      "cannot reach its group, trying again",
    );
  }

  #become(state: MemberState): void {
    this.#state = state;
    this.#options.onChange();
  }
}

function fenced(groupId: string, instanceId: string | null): FencedError {
  return new FencedError(
    "kafka.member_fenced",
    `cannot stay in group ${groupId}: another one came with the group.instance.id ${instanceId}`,
    { hint: "give every member of the group a group.instance.id of its own, or none" },
  );
}
