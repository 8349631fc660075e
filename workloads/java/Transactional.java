import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Transactional applications.
 *
 * <p>A transaction's beginning, its appends, the positions it stores and its end are journalled in that order under one
 * process; an end is journalled before it is asked for. A commit that was refused is unknown. After a fatal error the
 * application begins again with a new client under the same id.
 */
final class Transactional {
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration CLOSE = Duration.ofSeconds(2);
  private static final long AGAIN_MS = 100;

  private Transactional() {}

  /** What became of a step. */
  enum Step {
    DONE,
    ABORTED,
    FATAL
  }

  /** One transactional client, for as long as it is of use. */
  static final class Session implements AutoCloseable {
    private final Life life;
    private final Counts counts;
    final boolean transactional;
    private final KafkaProducer<byte[], byte[]> library;

    private Session(Life life, Counts counts, Map<String, Object> properties) {
      this.life = life;
      this.counts = counts;
      this.transactional = properties.containsKey("transactional.id");
      this.library = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Sets a client up, again and again until that is done or the process is asked to stop (null). */
    static Session start(Life life, Counts counts, Map<String, Object> properties) {
      while (true) {
        Session session = new Session(life, counts, properties);
        if (!session.transactional || session.initialise()) {
          return session;
        }
        session.close();
        if (life.waitMs(AGAIN_MS)) {
          return null;
        }
      }
    }

    private boolean initialise() {
      while (!life.asked()) {
        try {
          library.initTransactions();
          return true;
        } catch (TimeoutException error) {
          counts.error(error);
        } catch (KafkaException | IllegalStateException error) {
          counts.error(error);
          return false;
        }
      }
      return false;
    }

    private Journal.Subject subject(int kind, long detail) {
      return new Journal.Subject(counts.process, kind, 0, detail);
    }

    Step begin(long number) {
      if (!transactional) {
        return Step.DONE;
      }
      Journal.Subject subject = subject(Journal.TXN_BEGIN, number);
      life.journal.invoke(subject, Journal.now());
      try {
        library.beginTransaction();
      } catch (KafkaException | IllegalStateException error) {
        life.journal.complete(subject, Answer.fail(null));
        return fatal(error);
      }
      life.journal.complete(subject, Answer.ok(Answer.NOWHERE));
      return Step.DONE;
    }

    /** Hands a record over; what becomes of it is journalled when it is reported. */
    void send(TopicPartition place, int log, long value, int bytes) {
      Journal.Subject subject = new Journal.Subject(counts.process, Journal.APPEND, log, value);
      life.journal.invoke(subject, Journal.now());
      counts.sent.incrementAndGet();
      boolean[] told = new boolean[1];
      byte[] payload = life.payload(log, value, bytes);
      try {
        library.send(new ProducerRecord<>(place.topic(), place.partition(), null, payload), (metadata, error) -> {
          synchronized (told) {
            if (!told[0]) {
              told[0] = true;
              report(subject, error, error == null ? metadata.offset() : Answer.NOWHERE);
            }
          }
        });
      } catch (KafkaException | IllegalStateException error) {
        synchronized (told) {
          if (!told[0]) {
            told[0] = true;
            report(subject, error, Answer.NOWHERE);
          }
        }
      }
    }

    private void report(Journal.Subject subject, Exception error, long offset) {
      // In a transaction a refusal may come after the record was taken: it tells nothing.
      Answer answer = error == null ? Answer.ok(offset) : Answer.unknown(error);
      if (error != null) {
        counts.error(error);
      }
      counts.outcome(answer.outcome);
      life.journal.complete(subject, answer);
    }

    /** Stores a group's positions in the open transaction. */
    Step store(Group group, KafkaConsumer<byte[], byte[]> consumer, Map<Integer, Long> next) {
      Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
      List<Journal.Subject> subjects = new ArrayList<>();
      next.forEach((log, offset) -> {
        positions.put(life.place(log), new OffsetAndMetadata(offset));
        Journal.Subject subject = group.subject(Journal.COMMIT, log);
        life.journal.invoke(subject, offset);
        subjects.add(subject);
      });
      RuntimeException failed = null;
      try {
        library.sendOffsetsToTransaction(positions, consumer.groupMetadata());
      } catch (KafkaException | IllegalStateException error) {
        failed = error;
      }
      for (Journal.Subject subject : subjects) {
        life.journal.complete(subject, failed == null ? Answer.ok(Answer.NOWHERE) : Answer.unknown(failed));
      }
      if (failed == null) {
        return Step.DONE;
      }
      if (isFatal(failed)) {
        return fatal(failed);
      }
      counts.error(failed);
      return Step.ABORTED;
    }

    /** Commits; what cannot be committed is aborted. */
    Step commit(long number) {
      if (!transactional) {
        return flush();
      }
      Journal.Subject subject = subject(Journal.TXN_COMMIT, number);
      life.journal.invoke(subject, Journal.now());
      long patience = Journal.now() + life.flushMs * 1_000_000;
      while (true) {
        try {
          library.commitTransaction();
          life.journal.complete(subject, Answer.ok(Answer.NOWHERE));
          counts.outcome(Answer.OK);
          return Step.DONE;
        } catch (TimeoutException error) {
          counts.error(error);
          if (Journal.now() < patience) {
            continue;
          }
          // A client that waits for the answer to a commit takes no other wish.
          return ended(subject, error, true);
        } catch (KafkaException | IllegalStateException error) {
          counts.error(error);
          return ended(subject, error, isFatal(error));
        }
      }
    }

    private Step ended(Journal.Subject subject, RuntimeException error, boolean fatal) {
      counts.outcome(Answer.UNKNOWN);
      life.journal.complete(subject, Answer.unknown(error));
      if (fatal) {
        return Step.FATAL;
      }
      try {
        library.abortTransaction();
        return Step.ABORTED;
      } catch (KafkaException | IllegalStateException again) {
        return fatal(again);
      }
    }

    Step abort(long number) {
      if (!transactional) {
        return Step.ABORTED;
      }
      Journal.Subject subject = subject(Journal.TXN_ABORT, number);
      life.journal.invoke(subject, Journal.now());
      RuntimeException failed = null;
      for (int attempt = 0; attempt < 2; attempt++) {
        try {
          library.abortTransaction();
          failed = null;
          break;
        } catch (TimeoutException error) {
          failed = error;
        } catch (KafkaException | IllegalStateException error) {
          failed = error;
          break;
        }
      }
      life.journal.complete(subject, failed == null ? Answer.ok(Answer.NOWHERE) : Answer.unknown(failed));
      return failed == null ? Step.ABORTED : fatal(failed);
    }

    Step flush() {
      library.flush();
      return Step.DONE;
    }

    private Step fatal(RuntimeException error) {
      counts.error(error);
      return Step.FATAL;
    }

    private static boolean isFatal(RuntimeException error) {
      return error instanceof ProducerFencedException
          || error instanceof InvalidProducerEpochException
          || error instanceof OutOfOrderSequenceException
          || error instanceof AuthorizationException
          || error instanceof UnsupportedVersionException
          || error instanceof IllegalStateException;
    }

    @Override
    public void close() {
      library.close(CLOSE);
    }
  }

  /** Appends in transactions: so many records to each, over several logs, some aborted on purpose. */
  static final class Transactor extends Stormglass.Role {
    private final SplittableRandom random;
    private final long writer = spec.number("writer");
    private long sequence;
    private long number;

    Transactor(Life life, Spec spec) {
      super(life, spec);
      random = new SplittableRandom(life.spec.number("seed") ^ writer * 0x9E37_79B9_7F4A_7C15L);
    }

    @Override
    void live() {
      long start = Journal.now();
      double perSecond = spec.real("per_second");
      while (!life.asked()) {
        try (Session session = Session.start(life, counts, properties(spec.part("properties")))) {
          Step step = session == null ? Step.FATAL : Step.DONE;
          while (step != Step.FATAL) {
            number += 1;
            // One that is behind begins at once: transactions are not piled up.
            if (life.waitUntil(start + (long) (number * 1e9 / perSecond))) {
              return;
            }
            step = transaction(session);
          }
        }
      }
    }

    private Step transaction(Session session) {
      if (session.begin(number) == Step.FATAL) {
        return Step.FATAL;
      }
      int logs = (int) Math.max(1, Math.min(spec.number("logs"), life.places.size()));
      int first = random.nextInt(logs);
      for (int n = 0; n < spec.number("records"); n++) {
        int at = (first + n) % logs;
        session.send(life.places.get(at), life.ids.get(at), writer << 40 | sequence++, (int) spec.number("record_bytes"));
      }
      if (random.nextInt(100) >= spec.number("abort_percent")) {
        return session.commit(number);
      }
      session.flush();
      return session.abort(number);
    }
  }

  /** Consume, transform, produce: an output says which record it stems from and which attempt made it. */
  static final class Transform extends Stormglass.Role {
    private static final int OFFSET_BITS = 32;

    private final Spec app = spec.part("app");
    private final String style = app.text("style", "positions-inside");
    private final String ids = app.text("ids", "own");
    private final String id = spec.text("group/id");
    private final long attemptsMax = life.spec.number("writers_per_life") - 1;
    private final Map<Integer, Integer> outputs = new HashMap<>();
    private final Group group;
    private KafkaConsumer<byte[], byte[]> library;
    private long attempts;

    Transform(Life life, Spec spec) {
      super(life, spec);
      String commit = style.equals("positions-inside") ? "never" : "after-batch";
      group = new Group(life, counts, spec.number("group/number"), commit, 0);
      for (Spec pair : spec.list("outputs")) {
        outputs.put((int) pair.number("0"), (int) pair.number("1"));
      }
    }

    @Override
    void live() {
      Map<String, Object> properties = properties(spec.part("consumer"));
      properties.put("group.id", id);
      properties.putIfAbsent("max.poll.records", app.text("batch_max", "100"));
      try (KafkaConsumer<byte[], byte[]> library =
          new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        this.library = library;
        group.of(library);
        library.subscribe(spec.values("group/topics"), group);
        boolean renewed = true;
        while (renewed && !life.asked() && attempts < attemptsMax) {
          try (Session session = Session.start(life, counts, producer())) {
            renewed = session != null && goOn(session);
          }
        }
      }
    }

    /** The producing client's properties: its transactional id is its own, its input's, or a new one each time. */
    private Map<String, Object> producer() {
      Map<String, Object> properties = properties(spec.part("producer"));
      if (style.equals("plain")) {
        return properties;
      }
      String own = id + "-" + spec.text("slot");
      String random = id + "-" + ProcessHandle.current().pid() + "-" + attempts;
      properties.put("transactional.id", ids.equals("own") ? own : ids.equals("of-input") ? id : random);
      return properties;
    }

    /** Batch after batch; true if it goes on with a new client. */
    private boolean goOn(Session session) {
      while (!life.asked() && attempts < attemptsMax) {
        Map<Integer, List<Long>> batch = new TreeMap<>();
        boolean fresh = fill(batch);
        if (fresh && ids.equals("of-input")) {
          // Whoever is given the input takes over its id, and so fences whoever had it.
          goBack(batch);
          return true;
        }
        if (batch.isEmpty()) {
          continue;
        }
        attempts += 1;
        Step step = attempt(session, batch);
        if (step != Step.DONE) {
          goBack(batch);
        }
        if (step == Step.FATAL) {
          return true;
        }
      }
      return false;
    }

    private boolean fill(Map<Integer, List<Long>> batch) {
      boolean fresh = false;
      try {
        for (ConsumerRecord<byte[], byte[]> record : library.poll(POLL)) {
          int log = life.log(new TopicPartition(record.topic(), record.partition()));
          if (log >= 0) {
            fresh |= group.isFresh(log);
            batch.computeIfAbsent(log, none -> new ArrayList<>()).add(record.offset());
          }
        }
      } catch (KafkaException error) {
        counts.error(error);
      }
      return fresh;
    }

    private Step attempt(Session session, Map<Integer, List<Long>> batch) {
      if (session.begin(attempts) == Step.FATAL) {
        return Step.FATAL;
      }
      long writer = spec.number("writer") + attempts;
      Map<Integer, Long> next = new TreeMap<>();
      batch.forEach((log, offsets) -> {
        Integer output = outputs.get(log);
        next.put(log, offsets.get(offsets.size() - 1) + 1);
        for (long offset : output == null ? List.<Long>of() : offsets) {
          long value = writer << 40 | (long) log << OFFSET_BITS | offset & (1L << OFFSET_BITS) - 1;
          session.send(life.place(output), output, value, (int) spec.number("record_bytes"));
        }
      });
      mishap(session);
      if (style.equals("positions-inside")) {
        Step stored = session.store(group, library, next);
        if (stored != Step.DONE) {
          return stored == Step.FATAL ? stored : session.abort(attempts);
        }
      }
      Step ended = session.commit(attempts);
      if (ended == Step.DONE && !style.equals("positions-inside")) {
        next.forEach(group::done);
        group.commit(group.owned());
      }
      return ended;
    }

    /** Between outputs and positions: the moment at which a death or a long pause tells. */
    private void mishap(Session session) {
      if (app.has("stalls/after") && app.number("stalls/after") == attempts) {
        life.waitMs(app.number("stalls/ms"));
      }
      if (app.has("falls/after") && app.number("falls/after") == attempts && app.text("falls/by").equals("kill")) {
        session.flush();
        if (session.transactional && style.equals("outputs-only")) {
          session.commit(attempts);
        }
        Life.die();
      }
    }

    /** Reads a batch again. */
    private void goBack(Map<Integer, List<Long>> batch) {
      batch.forEach((log, offsets) -> {
        if (group.assignment(log) > 0) {
          library.seek(life.place(log), offsets.get(0));
        }
      });
    }
  }
}
