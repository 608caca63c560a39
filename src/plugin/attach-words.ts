/** What a person at the terminal is told of a plugin that he may start by hand. */
export interface AttachFacts {
  /** The plugin's. */
  readonly name: string;
  /** `BULKHEAD_CONNECT=FILE`. */
  readonly connect: string;
  /** As gRPC names it. */
  readonly address: string;
  readonly token: string;
  /** What the file holds. */
  readonly launchLine: string;
}

/** Has the token: for a terminal, never for a log. */
export function attachWords(facts: AttachFacts): string {
  const { name, connect, address, token, launchLine } = facts;
  return `
Plugin ${name} is not started but waited for. Start it by hand, in a debugger say, as often as you like:
  ${connect} node --inspect-brk dist/main.js
or, without the file, with the launch line on its stdin, which has to stay open:
  (printf '%s\\n' ${shellWord(launchLine)}; cat) | node --inspect-brk dist/main.js
Its own command may stand for the node command. What it needs to know:
  address  ${address}
  token    ${token}
Who has the token can take the plugin's place until this host ends: it is shown on a terminal only.

`;
}

/** The text as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
