import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A consumer of logs that it has chosen itself, from their beginning: each poll is journalled log by log. */
final class Reading extends Stormglass.Role {
  private static final Duration POLL = Duration.ofMillis(100);

  Reading(Life life, Spec spec) {
    super(life, spec);
  }

  @Override
  void live() {
    int process = (int) spec.number("process");
    List<TopicPartition> wanted = spec.values("mode/assign/logs").stream()
        .map(log -> life.place(Integer.parseInt(log)))
        .collect(Collectors.toList());
    Map<String, Object> properties = properties(spec.part("properties"));
    properties.putIfAbsent("group.id", "stormglass-" + life.spec.text("name"));
    try (KafkaConsumer<byte[], byte[]> library = new KafkaConsumer<>(
        properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      library.assign(wanted);
      library.seekToBeginning(wanted);
      while (!life.asked()) {
        long invoked = Journal.now();
        ConsumerRecords<byte[], byte[]> polled;
        try {
          polled = library.poll(POLL);
        } catch (KafkaException error) {
          counts.error(error);
          continue;
        }
        for (TopicPartition place : polled.partitions()) {
          journal(process, life.log(place), invoked, polled.records(place));
        }
      }
    }
  }

  private void journal(int process, int log, long invoked, List<ConsumerRecord<byte[], byte[]>> polled) {
    List<long[]> records = new ArrayList<>();
    polled.forEach(record -> records.add(new long[] {record.offset(), life.value(record.value())}));
    life.journal.read(new Journal.Subject(process, Journal.POLL, log, records.get(0)[0]), invoked, records);
    counts.sent.incrementAndGet();
    counts.records.addAndGet(records.size());
    counts.outcome(Answer.OK);
  }
}
