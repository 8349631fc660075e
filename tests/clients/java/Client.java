// The Java client against a cluster. Usage: java -cp … Client.java BOOTSTRAP PREFIX; capabilities are defined in README.md.

import static org.apache.kafka.clients.consumer.ConsumerConfig.ISOLATION_LEVEL_CONFIG;
import static org.apache.kafka.clients.consumer.ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

public class Client {
  static final Duration PATIENCE = Duration.ofSeconds(30);
  static final Duration POLL = Duration.ofMillis(100);
  static String bootstrap;
  static String prefix;
  static Admin admin;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    prefix = args[1];
    System.out.println("version\t" + AppInfoParser.getVersion());
    admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    capability("produce", Client::produce);
    capability("group", Client::group);
    capability("resume", Client::resume);
    capability("idempotent", Client::idempotent);
    capability("transactions", Client::transactions);
    capability("admin", Client::admin);
    admin.close();
    System.exit(0);
  }

  static void capability(String name, Callable<String> act) {
    try {
      System.out.println(name + "\tok\t" + act.call());
    } catch (Exception | AssertionError error) {
      error.printStackTrace();
      System.out.println(name + "\tno\t" + String.valueOf(error).replaceAll("\\s+", " "));
    }
  }

  static String produce() throws Exception {
    String topic = topic("produce", 2, Map.of());
    List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
    Set<String> sent = new HashSet<>();
    for (String codec : codecs) {
      for (String acks : List.of("0", "1", "all")) {
        Map<String, Object> config =
            Map.of("compression.type", codec, "acks", acks, "enable.idempotence", "false");
        try (var producer = producer(config)) {
          for (int n = 0; n < 20; n++) {
            var record = new ProducerRecord<>(topic, codec, (codec + "-" + acks + "-" + n).repeat(20));
            record.headers().add("codec", codec.getBytes());
            producer.send(record).get();
            sent.add(record.value());
          }
        }
      }
    }
    var records = readAll(topic, sent.size(), 2, Map.of());
    same(records.stream().map(ConsumerRecord::value).collect(Collectors.toSet()), sent);
    for (var record : records) {
      same(new String(record.headers().lastHeader("codec").value()), record.key());
      same(record.value().startsWith(record.key() + "-"), true);
    }
    return "codecs " + String.join(" ", codecs);
  }

  static String group() throws Exception {
    for (String strategy : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
      rebalance(strategy);
    }
    return "range, cooperative-sticky";
  }

  static void rebalance(String strategy) throws Exception {
    String topic = topic("group-" + strategy, 4, Map.of());
    send(topic, IntStream.range(0, 400).mapToObj(String::valueOf).toList(), Map.of());
    Map<String, Object> config =
        Map.of(PARTITION_ASSIGNMENT_STRATEGY_CONFIG, "org.apache.kafka.clients.consumer." + strategy);
    Set<String> seen = new HashSet<>();
    try (var one = consumer("group-" + strategy, config)) {
      one.subscribe(List.of(topic));
      until(() -> poll(seen, one) && one.assignment().size() == 4, "all partitions at one");
      try (var two = consumer("group-" + strategy, config)) {
        two.subscribe(List.of(topic));
        until(
            () -> poll(seen, one) && poll(seen, two) && one.assignment().size() == 2 && two.assignment().size() == 2,
            "two partitions each");
        Set<TopicPartition> owned = new HashSet<>(one.assignment());
        owned.addAll(two.assignment());
        same(owned.size(), 4);
      }
      until(() -> poll(seen, one) && one.assignment().size() == 4 && seen.size() == 400, "every record");
    }
  }

  static String resume() throws Exception {
    String topic = topic("resume", 1, Map.of());
    send(topic, IntStream.range(0, 100).mapToObj(String::valueOf).toList(), Map.of());
    var partition = new TopicPartition(topic, 0);
    for (long start : List.of(0L, 50L)) {
      try (var reader = consumer("resume", Map.of("max.poll.records", 10))) {
        reader.subscribe(List.of(topic));
        var records = read(reader, 50);
        same(records.get(0).offset(), start);
        reader.commitSync(Map.of(partition, new OffsetAndMetadata(start + 50)));
      }
    }
    try (var reader = consumer("resume", Map.of())) {
      same(reader.committed(Set.of(partition)).get(partition).offset(), 100L);
    }
    return "";
  }

  static String idempotent() throws Exception {
    String topic = topic("idempotent", 1, Map.of());
    var values = IntStream.range(0, 500).mapToObj(String::valueOf).toList();
    send(topic, values, Map.of("enable.idempotence", "true"));
    same(values(readAll(topic, 500, 1, Map.of())), values);
    return "";
  }

  static String transactions() throws Exception {
    String topic = topic("transactions", 1, Map.of());
    String source = topic("source", 1, Map.of());
    send(source, List.of("a", "b"), Map.of());
    var from = new TopicPartition(source, 0);
    List<String> all = new ArrayList<>();
    try (var reader = consumer("source", Map.of());
        var producer = producer(Map.of("transactional.id", prefix + "-writer"))) {
      reader.subscribe(List.of(source));
      read(reader, 2);
      producer.initTransactions();
      for (int number = 0; number < 3; number++) {
        producer.beginTransaction();
        for (int n = 0; n < 10; n++) {
          producer.send(new ProducerRecord<>(topic, number + "-" + n));
          all.add(number + "-" + n);
        }
        producer.sendOffsetsToTransaction(
            Map.of(from, new OffsetAndMetadata(number + 1)), reader.groupMetadata());
        if (number == 1) {
          producer.flush();
          producer.abortTransaction();
        } else {
          producer.commitTransaction();
        }
      }
      same(reader.committed(Set.of(from)).get(from).offset(), 3L);
    }
    var committed = all.stream().filter(value -> !value.startsWith("1")).toList();
    same(values(readAll(topic, 20, 1, Map.of(ISOLATION_LEVEL_CONFIG, "read_committed"))), committed);
    same(values(readAll(topic, 30, 1, Map.of(ISOLATION_LEVEL_CONFIG, "read_uncommitted"))), all);
    return "";
  }

  static String admin() throws Exception {
    String topic = topic("admin", 1, Map.of("retention.ms", "1000000"));
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    Callable<String> retention =
        () -> admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value();
    same(retention.call(), "1000000");
    var change = new AlterConfigOp(new ConfigEntry("retention.ms", "2000000"), AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    until(() -> retention.call().equals("2000000"), "the altered config");
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
    until(
        () -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 3,
        "three partitions");
    String group = prefix + "-admin";
    Callable<Boolean> listed =
        () -> admin.listConsumerGroups().all().get().stream().anyMatch(one -> one.groupId().equals(group));
    send(topic, List.of("x"), Map.of());
    try (var reader = consumer("admin", Map.of())) {
      reader.subscribe(List.of(topic));
      read(reader, 1);
      reader.commitSync();
      var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
      same(described.members().size(), 1);
      same(listed.call(), true);
    }
    same(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().isEmpty(), false);
    admin.deleteConsumerGroups(List.of(group)).all().get();
    same(listed.call(), false);
    admin.deleteTopics(List.of(topic)).all().get();
    until(() -> !admin.listTopics().names().get().contains(topic), "the topic to go");
    return "";
  }

  static String topic(String name, int partitions, Map<String, String> config) throws Exception {
    String full = prefix + "-" + name;
    admin.createTopics(List.of(new NewTopic(full, partitions, (short) 3).configs(config))).all().get();
    return full;
  }

  static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
    config.putAll(more);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", prefix + "-" + group));
    config.putAll(Map.of("auto.offset.reset", "earliest", "enable.auto.commit", "false"));
    config.putAll(Map.of("session.timeout.ms", "6000", "heartbeat.interval.ms", "300"));
    config.putAll(more);
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  static void send(String topic, Collection<String> values, Map<String, Object> config) throws Exception {
    try (var producer = producer(config)) {
      List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
      for (String value : values) {
        sent.add(producer.send(new ProducerRecord<>(topic, value)));
      }
      for (var one : sent) {
        one.get();
      }
    }
  }

  static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> reader, int count) throws Exception {
    List<ConsumerRecord<String, String>> records = new ArrayList<>();
    until(
        () -> {
          reader.poll(POLL).forEach(records::add);
          return records.size() >= count;
        },
        count + " records");
    return records;
  }

  static List<ConsumerRecord<String, String>> readAll(
      String topic, int count, int partitions, Map<String, Object> config) throws Exception {
    try (var reader = consumer("reader", config)) {
      var all = IntStream.range(0, partitions).mapToObj(index -> new TopicPartition(topic, index)).toList();
      reader.assign(all);
      reader.seekToBeginning(all);
      var records = read(reader, count);
      same(reader.poll(Duration.ofSeconds(1)).count(), 0);
      same(records.size(), count);
      return records;
    }
  }

  static boolean poll(Set<String> seen, KafkaConsumer<String, String> reader) {
    reader.poll(POLL).forEach(record -> seen.add(record.value()));
    return true;
  }

  static List<String> values(List<ConsumerRecord<String, String>> records) {
    return records.stream().map((Function<ConsumerRecord<String, String>, String>) ConsumerRecord::value).toList();
  }

  static void until(Callable<Boolean> condition, String what) throws Exception {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.call()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("in vain waited for " + what);
      }
      Thread.sleep(20);
    }
  }

  static void same(Object found, Object wanted) {
    if (!found.equals(wanted)) {
      throw new AssertionError("found " + found + ", wanted " + wanted);
    }
  }
}
