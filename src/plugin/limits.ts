/** The contract's bounds (proto/README.md); both sides know them. */
export const limits = {
  batchRecordsMax: 10_000,
  recordHeadersMax: 1_000,
  idMax: 65_535,
  topicBytesMax: 249,
  nameBytesMax: 32 * 1_024,
  partitionBytesMax: 64 * 1_024,
  offsetBytesMax: 64 * 1_024,
  schemaBytesMax: 1_024 * 1_024,
  /** Live definitions of one stream and direction, together. */
  definitionBytesMax: 32 * 1_024 * 1_024,
  errantReportsMax: 1_000,
  errantBytesMax: 8 * 1_024 * 1_024,
  openCallsMax: 64,
  callPartitionsMax: 1_000,
  /** What a message may have over `max_message_bytes`: its frame, and room for definitions. */
  frameBytes: 64 * 1_024,
} as const;
