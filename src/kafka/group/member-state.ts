/** Where a member of a group stands, and what it was given. */
export type MemberState =
  /** `join` makes it a member. */
  | { readonly at: "outside" }
  /** The others are waited for. What was not given up is still held. */
  | { readonly at: "joining" }
  /** A new generation has begun: `take` it. */
  | { readonly at: "assigned"; readonly given: GivenShare }
  | { readonly at: "stable" }
  /** The group begins another generation: give up what it must not keep, then `join`. */
  | { readonly at: "rebalancing" }
  /** Thrown out: what it held is another's. `join` makes it a new member. */
  | { readonly at: "lost" }
  /** As lost; no second try will do better unless somebody changes something. */
  | { readonly at: "failed"; readonly error: unknown }
  | { readonly at: "left" };

/** What a generation brought. */
export interface GivenShare {
  readonly generation: number;
  readonly memberId: string;
  readonly leaderId: string;
  readonly protocol: string;
  readonly assignment: Uint8Array;
}

/** Who it is to the group; what it asks of the group has to say so. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}
