package bench;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** The twin of plugins/blackhole: counts what comes, keeps nothing. */
public class NullSink extends SinkConnector {
    static final ConfigDef KEYS = new ConfigDef()
        .define("count.file", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "Where task i keeps its counts, with .i behind it.")
        .define("touch.field", ConfigDef.Type.STRING, "", ConfigDef.Importance.LOW, "An int64 field to read from each struct.");

    private Map<String, String> config;

    @Override
    public void start(Map<String, String> given) {
        config = given;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int tasksMax) {
        return IntStream.range(0, tasksMax).mapToObj(n -> {
            Map<String, String> own = new HashMap<>(config);
            own.put("bench.task", String.valueOf(n));
            return own;
        }).collect(Collectors.toList());
    }

    @Override
    public Class<? extends Task> taskClass() {
        return Counter.class;
    }

    @Override
    public ConfigDef config() {
        return KEYS;
    }

    @Override
    public String version() {
        return "1";
    }

    @Override
    public void stop() {
    }

    /** Three big-endian int64: records, bytes, the sum of the field. */
    public static class Counter extends SinkTask {
        private RandomAccessFile file;
        private String touch;
        private long records;
        private long bytes;
        private long sum;

        @Override
        public void start(Map<String, String> config) {
            touch = config.getOrDefault("touch.field", "");
            try {
                file = new RandomAccessFile(config.get("count.file") + "." + config.getOrDefault("bench.task", "0"), "rw");
            } catch (IOException error) {
                throw new ConnectException(error);
            }
        }

        @Override
        public void put(Collection<SinkRecord> put) {
            if (put.isEmpty()) return;
            for (SinkRecord record : put) {
                Object value = record.value();
                if (value instanceof byte[]) bytes += ((byte[]) value).length;
                else if (value instanceof String) bytes += ((String) value).getBytes(StandardCharsets.UTF_8).length;
                else if (value instanceof Struct && !touch.isEmpty()) sum += ((Struct) value).getInt64(touch);
            }
            records += put.size();
            byte[] counts = ByteBuffer.allocate(24).putLong(records).putLong(bytes).putLong(sum).array();
            try {
                file.seek(0);
                file.write(counts);
            } catch (IOException error) {
                throw new ConnectException(error);
            }
        }

        @Override
        public void stop() {
            try {
                file.close();
            } catch (IOException error) {
                throw new ConnectException(error);
            }
        }

        @Override
        public String version() {
            return "1";
        }
    }
}
