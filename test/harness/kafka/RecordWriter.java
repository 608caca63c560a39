import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes what its stdin says, one step a line, in that order:
 * <pre>
 * begin PRODUCER | send PRODUCER TOPIC VALUE | commit PRODUCER | abort PRODUCER
 * write CODEC TOPIC VALUE [TIMES]   (one producer for each codec, which batches)
 * key TOPIC KEY VALUE               (null is a null)
 * flush
 * tell                              (flushes, and says "done")
 * </pre>
 * A key of transactional records is four zero bytes, which a careless reader takes for a marker. A
 * transaction that is still open when stdin ends stays open until it times out.
 */
public class RecordWriter {
  private static final byte[] ZERO = new byte[4];

  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "begin" ->
            producers
                .computeIfAbsent(words[1], name -> transactional(bootstrap, name))
                .beginTransaction();
        case "send" -> producers.get(words[1]).send(record(words[2], ZERO, words[3])).get();
        case "commit" -> producers.get(words[1]).commitTransaction();
        case "abort" -> producers.get(words[1]).abortTransaction();
        case "write" -> {
          KafkaProducer<byte[], byte[]> producer =
              producers.computeIfAbsent(words[1], codec -> plain(bootstrap, codec));
          int times = words.length > 4 ? Integer.parseInt(words[4]) : 1;
          for (int n = 0; n < times; n++) producer.send(record(words[2], null, words[3] + n));
        }
        case "key" ->
            producers
                .computeIfAbsent("none", codec -> plain(bootstrap, codec))
                .send(record(words[1], bytes(words[2]), words[3]))
                .get();
        case "flush" -> producers.values().forEach(KafkaProducer::flush);
        case "tell" -> {
          producers.values().forEach(KafkaProducer::flush);
          System.out.println("done");
          System.out.flush();
        }
        default -> throw new IllegalArgumentException(line);
      }
    }
    producers.forEach((name, producer) -> {
      if (!name.endsWith("-open")) producer.close();
    });
    Runtime.getRuntime().halt(0);
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, byte[] key, String value) {
    return new ProducerRecord<>(topic, 0, key, bytes(value));
  }

  private static byte[] bytes(String text) {
    return text.equals("null") ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  private static KafkaProducer<byte[], byte[]> transactional(String bootstrap, String name) {
    KafkaProducer<byte[], byte[]> producer =
        producer(bootstrap, Map.of("transactional.id", name, "transaction.timeout.ms", 600_000));
    producer.initTransactions();
    return producer;
  }

  private static KafkaProducer<byte[], byte[]> plain(String bootstrap, String codec) {
    return producer(bootstrap, Map.of("compression.type", codec, "linger.ms", 100));
  }

  private static KafkaProducer<byte[], byte[]> producer(String bootstrap, Map<String, Object> own) {
    Map<String, Object> config = new HashMap<>(own);
    config.put("bootstrap.servers", bootstrap);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
