/** The version of Bulkhead itself; the host, the SDKs and the plugins we ship share it. */
export const productVersion = "0.1.0";

/** The version of Apache Kafka Connect whose REST API, configs and topics the host speaks. */
export const connectVersion = "4.1.1";
