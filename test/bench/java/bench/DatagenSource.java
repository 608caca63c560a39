package bench;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** The twin of plugins/datagen: the same class name, keys and kind of data, so that one config runs on either worker. */
public class DatagenSource extends SourceConnector {
    static final ConfigDef KEYS = new ConfigDef()
        .define("topic", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "The topic.")
        .define("records", ConfigDef.Type.LONG, -1L, ConfigDef.Importance.HIGH, "Of each task; -1 = no end.")
        .define("record.size", ConfigDef.Type.INT, 100, ConfigDef.Importance.HIGH, "Bytes of a value.")
        .define("format", ConfigDef.Type.STRING, "bytes", ConfigDef.Importance.HIGH, "bytes, string or struct.")
        .define("batch.size", ConfigDef.Type.INT, 1000, ConfigDef.Importance.LOW, "Records of a poll.")
        .define("seed", ConfigDef.Type.LONG, 1L, ConfigDef.Importance.LOW, "Same seed, same data.");

    private Map<String, String> config;

    @Override
    public void start(Map<String, String> given) {
        config = given;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int tasksMax) {
        return IntStream.range(0, tasksMax).mapToObj(n -> {
            Map<String, String> own = new java.util.HashMap<>(config);
            own.put("bench.task", String.valueOf(n));
            return own;
        }).collect(Collectors.toList());
    }

    @Override
    public Class<? extends Task> taskClass() {
        return Generator.class;
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

    /** Values of bytes and texts come from a pool; structs are built anew. */
    public static class Generator extends SourceTask {
        private static final int POOL = 1024;
        private static final Schema ROW = SchemaBuilder.struct().name("bench.Row")
            .field("id", Schema.INT64_SCHEMA)
            .field("ts", Schema.INT64_SCHEMA)
            .field("name", Schema.STRING_SCHEMA)
            .field("email", Schema.STRING_SCHEMA)
            .field("active", Schema.BOOLEAN_SCHEMA)
            .field("score", Schema.FLOAT64_SCHEMA)
            .field("count", Schema.INT32_SCHEMA)
            .field("note", Schema.OPTIONAL_STRING_SCHEMA)
            .build();

        private String topic;
        private String format;
        private long records;
        private int batch;
        private long next;
        private Map<String, ?> partition;
        private String[] texts;
        private byte[][] bytes;
        private String[] names;
        private String[] emails;
        private String[] notes;

        @Override
        public void start(Map<String, String> given) {
            Map<String, Object> config = KEYS.parse(given);
            topic = (String) config.get("topic");
            format = (String) config.get("format");
            records = (Long) config.get("records");
            batch = (Integer) config.get("batch.size");
            partition = Collections.singletonMap("task", given.getOrDefault("bench.task", "0"));
            Random random = new Random((Long) config.get("seed"));
            texts = texts((Integer) config.get("record.size"), random);
            bytes = new byte[POOL][];
            for (int n = 0; n < POOL; n++) bytes[n] = texts[n].getBytes(StandardCharsets.UTF_8);
            names = texts(16, random);
            emails = texts(16, random);
            notes = texts(40, random);
            Map<String, Object> offset = context.offsetStorageReader().offset(partition);
            next = offset == null ? 0 : ((Number) offset.get("n")).longValue();
        }

        @Override
        public List<SourceRecord> poll() throws InterruptedException {
            int count = (int) (records < 0 ? batch : Math.min(batch, records - next));
            if (count <= 0) {
                Thread.sleep(50);
                return null;
            }
            List<SourceRecord> made = new ArrayList<>(count);
            long now = System.currentTimeMillis();
            for (int at = 0; at < count; at++, next++) {
                int of = (int) (next & (POOL - 1));
                Schema schema = Schema.BYTES_SCHEMA;
                Object value = bytes[of];
                if (format.equals("string")) {
                    schema = Schema.STRING_SCHEMA;
                    value = texts[of];
                } else if (format.equals("struct")) {
                    schema = ROW;
                    value = row(of, now);
                }
                Map<String, ?> offset = Collections.singletonMap("n", next + 1);
                made.add(new SourceRecord(partition, offset, topic, null, null, null, schema, value, now));
            }
            return made;
        }

        private Struct row(int of, long now) {
            return new Struct(ROW)
                .put("id", next)
                .put("ts", now)
                .put("name", names[of])
                .put("email", emails[of])
                .put("active", next % 2 == 0)
                .put("score", of * 0.25 + 0.125)
                .put("count", of)
                .put("note", (next & 7) == 7 ? null : notes[of]);
        }

        private static String[] texts(int size, Random random) {
            String[] words = new String[2000];
            for (int n = 0; n < words.length; n++) {
                words[n] = random.ints(3 + random.nextInt(7), 'a', 'z' + 1)
                    .mapToObj(letter -> String.valueOf((char) letter)).collect(Collectors.joining());
            }
            String[] made = new String[POOL];
            for (int n = 0; n < POOL; n++) {
                StringBuilder text = new StringBuilder();
                while (text.length() <= size) text.append(words[random.nextInt(words.length)]).append(' ');
                made[n] = text.substring(0, size);
            }
            return made;
        }

        @Override
        public void stop() {
        }

        @Override
        public String version() {
            return "1";
        }
    }
}
