/** The REST server as its owner sees it. */
export interface RestServer {
  /** `http://host:port`, as bound. */
  readonly url: string;
  close(): Promise<void>;
}
