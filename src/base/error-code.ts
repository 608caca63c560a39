/**
 * Every error code with a sentence on what it means. The list is the documentation; a test checks
 * that each code is used and that none is missing. Add yours in alphabetical order of the part
 * before the dot.
 */
export const errorCodes = {
  "batch.compressed": "a record batch is compressed with a codec that cannot be read",
  "batch.corrupt": "a record batch does not follow its format",
  "command.quickstart_failed": "quickstart could not set up its connectors",
  "config.class_missing": "a connector config names no connector.class",
  "config.class_unknown": "no plugin has the class that a config names",
  "config.file_invalid": "a config file was read but does not say what it must",
  "config.file_unreadable": "a config file cannot be read",
  "config.invalid": "a config has values that cannot be used; all of them are listed",
  "config.version_malformed": "the version that a config or request asks for cannot be read",
  "connector.not_started": "a Connector instance was asked for its tasks while it was not started",
  "connector.raised": "a Connector instance said of itself that it has failed",
  "connector.stop_timeout": "a Connector instance did not stop by its deadline",
  "connector.too_many_tasks": "a connector made more task configs than tasks.max allows",
  "embedded.closed": "the embedded log was used after it was closed",
  "embedded.disk_full":
    "the disk under the embedded log has no room; nothing that was stored is lost",
  "embedded.folder_locked": "another process uses the folder of the embedded log",
  "embedded.folder_unusable": "the folder of the embedded log cannot be made, read or written",
  "embedded.log_corrupt": "a stored record batch fails its checksum",
  "embedded.write_failed": "a write to the embedded log failed for another reason than a full disk",
  "kafka.group_not_empty": "the offsets of a consumer group cannot be changed while it has members",
  "kafka.member_fenced": "a consumer committed a partition that it no longer holds",
  "kafka.partition_not_assigned":
    "a consumer was told to seek in a partition that it does not hold",
  "kafka.partition_not_found": "a record names a partition that its topic does not have",
  "kafka.producer_closed": "a record was sent to a closed producer, or was left when it closed",
  "kafka.topic_deleted": "a topic was deleted while it was written to or read",
  "kafka.topic_invalid": "a topic has a name, a partition count or a setting that cannot be used",
  "kafka.topic_log_failed": "an internal topic could not be read",
  "kafka.topic_not_compacted": "an internal topic exists without cleanup.policy=compact",
  "kafka.transactions_unsupported": "the log has no transactions",
  "plugin.closed": "a plugin process was asked for while the host shuts down",
  "plugin.gone": "the plugin process ended, or its stream did, while it was needed",
  "plugin.launch_failed": "a plugin process could not be started, or did not say hello",
  "plugin.protocol_error": "the plugin broke a rule of the contract",
  "plugin.request_failed": "the plugin answered a request with a failure",
  "plugin.request_timeout": "the plugin did not answer a request by its deadline",
  "plugin.task_failed": "the task's own code in the plugin reported a failure",
  "record.timestamp": "a record has a timestamp below -1",
  "record.too_large": "one record is over a size limit",
  "rest.address_unusable": "the REST server cannot listen on an address of the worker config",
  "rest.body_invalid": "a request body is not the JSON that the endpoint takes",
  "rest.class_mismatch": "the class in a request body is another one than in its path",
  "rest.name_mismatch": "the connector name in a request body is another one than in its path",
  "rest.plugin_unknown": "a request names a plugin class or version that is not there",
  "task.convert_failed": "a record from the log could not be converted for the plugin",
  "task.produce_failed": "a record could not be written to the log",
  "task.put_failed": "a sink's plugin could not take records",
  "task.stop_timeout": "the plugin did not stop or drain a task by its deadline",
  "task.tolerance_exceeded": "a record failed and the connector tolerates none",
} as const;

export type ErrorCode = keyof typeof errorCodes;
