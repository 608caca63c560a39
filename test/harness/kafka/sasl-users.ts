/** The users of the secure listeners. */

/**
 * Who may log in, under PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 alike. Under SCRAM a user can be taken
 * away again while the broker runs, with `askScramUser`; `bob` is there for that.
 */
export const saslUsers = { alice: "alice-secret", bob: "bob-secret" } as const;

/** What they may log in with. */
export const saslMechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/** For `kafka-storage format`, which writes the SCRAM users down. */
export const scramArgs: readonly string[] = Object.entries(saslUsers).flatMap(([name, password]) =>
  saslMechanisms
    .filter((mechanism) => mechanism !== "PLAIN")
    .flatMap((mechanism) => ["--add-scram", `${mechanism}=[name=${name},password=${password}]`]),
);
