import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * What a member knows of its group: which logs are its own, how far it is in them, what it has stored; and what it hears.
 *
 * <p>An assignment is journalled once the client has told of it, a revocation before the client gives the log up; a commit is
 * journalled with its position before it is asked for. Used by the polling thread only.
 */
final class Group implements ConsumerRebalanceListener {
  /** The group whose client commits by itself, to be told of that. */
  private static volatile Group told;

  private final Life life;
  private final Counts counts;
  private final long number;
  private final String commit;
  private final long shift;
  private final Map<Integer, Long> owned = new TreeMap<>();
  private final Set<Integer> fresh = new HashSet<>();
  private final Map<Integer, Long> done = new HashMap<>();
  private final Map<Integer, Long> stored = new HashMap<>();
  private List<Journal.Subject> underWay = new ArrayList<>();
  private KafkaConsumer<byte[], byte[]> library;
  private long assignments;
  private long generation;
  private long heard = Journal.now();

  Group(Life life, Counts counts, long number, String commit, long shift) {
    this.life = life;
    this.counts = counts;
    this.number = number;
    this.commit = commit;
    this.shift = shift;
    told = this;
  }

  void of(KafkaConsumer<byte[], byte[]> library) {
    this.library = library;
  }

  Collection<Integer> owned() {
    return new ArrayList<>(owned.keySet());
  }

  /** The number of a log's assignment, while it is owned; else 0. */
  long assignment(int log) {
    return owned.getOrDefault(log, 0L);
  }

  /** Gives an owned log another number: what was taken of it before is not to be processed any more. */
  void renew(int log) {
    owned.computeIfPresent(log, (owned, number) -> ++assignments);
  }

  /** True the first time it is asked after a log was assigned. */
  boolean isFresh(int log) {
    return fresh.remove(log);
  }

  void done(int log, long next) {
    done.put(log, next);
  }

  Long position(int log) {
    return done.get(log);
  }

  Journal.Subject subject(int kind, int log) {
    return new Journal.Subject(counts.process, kind, log, number << 32 | generation);
  }

  /** Journals the positions that the client stores when it likes, before it is asked for anything more. */
  void mayStore() {
    if (!commit.equals("library")) {
      return;
    }
    done.forEach((log, next) -> {
      if (owned.containsKey(log) && stored.getOrDefault(log, -1L) < next) {
        life.journal.observe(subject(Journal.COMMIT, log), Journal.now(), Answer.perhaps(next));
        stored.put(log, next);
      }
    });
  }

  /** Stores the positions that are further than what was stored, and waits for the answer. */
  void commit(Collection<Integer> logs) {
    Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
    List<Journal.Subject> subjects = due(logs, positions);
    if (subjects.isEmpty()) {
      return;
    }
    try {
      library.commitSync(positions);
      answered(subjects, null);
      subjects.forEach(subject -> stored.put(subject.log, done.get(subject.log)));
    } catch (KafkaException error) {
      answered(subjects, error);
    }
  }

  /** The same without waiting; nothing while an earlier one is under way. */
  void commitLater() {
    if (!underWay.isEmpty()) {
      return;
    }
    Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
    List<Journal.Subject> subjects = due(owned(), positions);
    if (subjects.isEmpty()) {
      return;
    }
    underWay = subjects;
    subjects.forEach(subject -> stored.put(subject.log, done.get(subject.log)));
    library.commitAsync(positions, (offsets, error) -> {
      underWay = new ArrayList<>();
      answered(subjects, error);
    });
  }

  private List<Journal.Subject> due(Collection<Integer> logs, Map<TopicPartition, OffsetAndMetadata> positions) {
    List<Journal.Subject> subjects = new ArrayList<>();
    for (int log : logs) {
      Long next = owned.containsKey(log) ? done.get(log) : null;
      if (next == null || stored.getOrDefault(log, -1L) >= next) {
        continue;
      }
      positions.put(life.place(log), new OffsetAndMetadata(next + shift));
      Journal.Subject subject = subject(Journal.COMMIT, log);
      life.journal.invoke(subject, next + shift);
      counts.sent.incrementAndGet();
      subjects.add(subject);
    }
    return subjects;
  }

  /** An answer other than yes tells nothing: an earlier attempt of the client may have been stored. */
  private void answered(List<Journal.Subject> subjects, Exception error) {
    for (Journal.Subject subject : subjects) {
      Answer answer = error == null ? Answer.ok(Answer.NOWHERE) : Answer.unknown(error);
      if (error != null) {
        counts.error(error);
      }
      counts.outcome(answer.outcome);
      life.journal.complete(subject, answer);
    }
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> places) {
    generation = Math.max(0, library.groupMetadata().generationId());
    heard = Journal.now();
    for (TopicPartition place : places) {
      int log = life.log(place);
      if (log >= 0) {
        owned.put(log, ++assignments);
        fresh.add(log);
        life.journal.observe(subject(Journal.ASSIGN, log), Journal.now(), Answer.ok(Answer.NOWHERE));
      }
    }
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> places) {
    if (commit.equals("after-batch") || commit.equals("after-record")) {
      List<Integer> logs = new ArrayList<>();
      places.forEach(place -> logs.add(life.log(place)));
      commit(logs);
    }
    give(places);
  }

  @Override
  public void onPartitionsLost(Collection<TopicPartition> places) {
    give(places);
  }

  private void give(Collection<TopicPartition> places) {
    for (TopicPartition place : places) {
      int log = life.log(place);
      if (owned.remove(log) != null) {
        done.remove(log);
        stored.remove(log);
        fresh.remove(log);
        life.journal.observe(subject(Journal.REVOKE, log), Journal.now(), Answer.ok(Answer.NOWHERE));
      }
    }
  }

  /** A commit of the client's own. */
  private void heardOf(Map<TopicPartition, OffsetAndMetadata> offsets) {
    if (!commit.equals("library")) {
      return;
    }
    long invoked = heard;
    heard = Journal.now();
    offsets.forEach((place, position) -> {
      int log = life.log(place);
      if (log >= 0) {
        life.journal.observe(subject(Journal.COMMIT, log), invoked, Answer.ok(position.offset()));
      }
    });
  }

  /** Hears of every commit that was stored, the client's own included. */
  public static final class Committed implements ConsumerInterceptor<byte[], byte[]> {
    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
      return records;
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {
      Group group = told;
      if (group != null) {
        group.heardOf(offsets);
      }
    }

    @Override
    public void close() {}

    @Override
    public void configure(Map<String, ?> properties) {}
  }
}
