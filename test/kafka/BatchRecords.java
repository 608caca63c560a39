import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Records as lines: timestamp, key, value and headers (name:value,…), all in hex, a dash for null.
 * "write BOOTSTRAP TOPIC=CODEC …" sends each line of stdin to each topic; "read BOOTSTRAP TOPIC …" prints what
 * is in partition 0 of each, the topic and the offset in front.
 */
public class BatchRecords {
    public static void main(String[] args) throws Exception {
        List<String> topics = List.of(args).subList(2, args.length);
        if (args[0].equals("write")) write(args[1], topics);
        else read(args[1], topics);
    }

    static void write(String bootstrap, List<String> topics) throws Exception {
        List<String> lines = new ArrayList<>();
        try (var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) lines.add(line);
        }
        for (String topicAndCodec : topics) {
            String[] parts = topicAndCodec.split("=");
            Properties config = new Properties();
            config.putAll(Map.of("bootstrap.servers", bootstrap, "compression.type", parts[1],
                "batch.size", "400000", "linger.ms", "500"));
            try (var producer = new KafkaProducer<byte[], byte[]>(
                    config, new ByteArraySerializer(), new ByteArraySerializer())) {
                for (String line : lines) producer.send(recordOf(parts[0], line.split(" ", -1)));
            }
        }
    }

    static ProducerRecord<byte[], byte[]> recordOf(String topic, String[] fields) {
        List<Header> headers = new ArrayList<>();
        if (!fields[3].isEmpty()) {
            for (String header : fields[3].split(",")) {
                String[] pair = header.split(":", -1);
                String name = new String(bytes(pair[0]), StandardCharsets.UTF_8);
                headers.add(new RecordHeader(name, bytes(pair[1])));
            }
        }
        long timestamp = Long.parseLong(fields[0]);
        return new ProducerRecord<>(topic, 0, timestamp, bytes(fields[1]), bytes(fields[2]), headers);
    }

    static void read(String bootstrap, List<String> topics) {
        Properties config = new Properties();
        config.putAll(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest"));
        StringBuilder out = new StringBuilder();
        try (var consumer = new KafkaConsumer<byte[], byte[]>(
                config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            for (String topic : topics) {
                TopicPartition partition = new TopicPartition(topic, 0);
                consumer.assign(List.of(partition));
                consumer.seekToBeginning(List.of(partition));
                long end = consumer.endOffsets(List.of(partition)).get(partition);
                while (consumer.position(partition) < end) {
                    for (var record : consumer.poll(Duration.ofSeconds(5))) print(out, record);
                }
            }
        }
        System.out.print(out);
    }

    static void print(StringBuilder out, ConsumerRecord<byte[], byte[]> record) {
        out.append(record.topic()).append(' ').append(record.offset()).append(' ');
        out.append(record.timestamp()).append(' ').append(hex(record.key())).append(' ');
        out.append(hex(record.value())).append(' ');
        String separator = "";
        for (Header header : record.headers()) {
            String name = hex(header.key().getBytes(StandardCharsets.UTF_8));
            out.append(separator).append(name).append(':').append(hex(header.value()));
            separator = ",";
        }
        out.append('\n');
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "-" : HexFormat.of().formatHex(bytes);
    }

    static byte[] bytes(String hex) {
        return hex.equals("-") ? null : HexFormat.of().parseHex(hex);
    }
}
