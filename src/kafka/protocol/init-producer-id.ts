/** Asks for the id and epoch under which an idempotent or transactional producer writes. */
import type { Api } from "./api.ts";

export interface InitProducerIdRequest {
  /** Null for an idempotent producer without transactions; any broker answers then. */
  readonly transactionalId: string | null;
  readonly transactionTimeoutMs: number;
}

export interface InitProducerIdResponse {
  readonly errorCode: number;
  readonly producerId: number;
  readonly producerEpoch: number;
}

export const initProducerId: Api<InitProducerIdRequest, InitProducerIdResponse> = {
  key: 22,
  name: "InitProducerId",
  versions: { min: 0, max: 1 },
  throttle: { from: 1, at: 0 },
  write(to, { transactionalId, transactionTimeoutMs }) {
    to.string(transactionalId);
    to.int32(transactionTimeoutMs);
  },
  read(from) {
    from.int32();
    return {
      errorCode: from.int16(),
      producerId: from.int64(),
      producerEpoch: from.int16(),
    };
  },
};
