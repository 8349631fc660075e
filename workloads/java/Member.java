import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A member of a group and the application around it.
 *
 * <p>A record counts as delivered when the application has processed it, and is journalled then. Records of a log are
 * processed in the order in which the client handed them over; what was processed is journalled before its position is stored.
 */
final class Member extends Stormglass.Role {
  private static final Duration POLL = Duration.ofMillis(100);
  private static final long LOOK_MS = 100;
  private static final Taken LAST = new Taken(-1, -1, -1, -1);

  private final Spec app = spec.part("app");
  private final String commit = app.text("commit", "after-batch");
  private final String leaves = app.text("leaves", "closing");
  private final long workUs = app.number("work_us", 0);
  private final boolean falls = app.has("falls/after");
  private final Group group;
  private KafkaConsumer<byte[], byte[]> library;
  private long processed;

  Member(Life life, Spec spec) {
    super(life, spec);
    group = new Group(life, counts, spec.number("mode/group/number"), commit, app.number("shift", 0));
  }

  /** A record that was taken, and the assignment under which. */
  private static final class Taken {
    final int log;
    final long offset;
    final long value;
    final long assignment;

    Taken(int log, long offset, long value, long assignment) {
      this.log = log;
      this.offset = offset;
      this.value = value;
      this.assignment = assignment;
    }
  }

  @Override
  boolean silent() {
    return leaves.equals("silently");
  }

  @Override
  void live() throws Exception {
    Map<String, Object> properties = properties(spec.part("properties"));
    properties.put("group.id", spec.text("mode/group/id"));
    properties.put("interceptor.classes", Group.Committed.class.getName());
    properties.putIfAbsent("max.poll.records", app.text("batch_max", "100"));
    library = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    group.of(library);
    List<String> topics = spec.values("mode/group/topics");
    if (!waitsFor(topics)) {
      return;
    }
    library.subscribe(topics, group);
    long workers = app.number("workers", 0);
    if (workers > 0) {
      handOn((int) workers);
    } else {
      work();
    }
    leave();
  }

  /** Waits until the first log has so many records; false if the process is asked to stop before. */
  private boolean waitsFor(Collection<String> topics) {
    long records = app.number("starts_at", 0);
    TopicPartition first = life.places.stream().filter(place -> topics.contains(place.topic())).findFirst().orElse(null);
    while (records > 0 && first != null) {
      try {
        if (library.endOffsets(List.of(first)).get(first) >= records) {
          return true;
        }
      } catch (KafkaException error) {
        counts.error(error);
      }
      if (life.waitMs(LOOK_MS)) {
        return false;
      }
    }
    return true;
  }

  private void work() {
    while (!life.asked()) {
      long invoked = Journal.now();
      List<Taken> taken = fill();
      if (commit.equals("before")) {
        mark(taken);
        group.commit(group.owned());
      }
      boolean goesOn = process(invoked, taken);
      if (!goesOn && commit.equals("finally")) {
        mark(taken);
      }
      if (!goesOn || fallsBetween() && !fall()) {
        break;
      }
    }
    if (commit.equals("finally")) {
      group.commit(group.owned());
    }
  }

  private List<Taken> fill() {
    List<Taken> taken = new ArrayList<>();
    group.mayStore();
    try {
      for (ConsumerRecord<byte[], byte[]> record : library.poll(POLL)) {
        int log = life.log(new TopicPartition(record.topic(), record.partition()));
        if (log >= 0) {
          taken.add(new Taken(log, record.offset(), life.value(record.value()), group.assignment(log)));
        }
      }
    } catch (KafkaException error) {
      counts.error(error);
    }
    return taken;
  }

  private void mark(List<Taken> taken) {
    taken.forEach(one -> group.done(one.log, one.offset + 1));
  }

  /** Works on what was taken; false if the application ends in the middle. */
  private boolean process(long invoked, List<Taken> taken) {
    List<Taken> pending = new ArrayList<>();
    for (Taken one : taken) {
      if (group.assignment(one.log) != one.assignment) {
        continue;
      }
      spendTime();
      if (fallsAt("working")) {
        finish(invoked, pending);
        return fall();
      }
      pending.add(one);
      processed += 1;
      if (commit.equals("after-record")) {
        finish(invoked, pending);
        group.commit(List.of(one.log));
      }
      if (fallsAt("done")) {
        finish(invoked, pending);
        return fall();
      }
      wander(invoked, one.log, pending);
    }
    finish(invoked, pending);
    if (commit.equals("after-batch")) {
      group.commit(group.owned());
    } else if (commit.equals("async")) {
      group.commitLater();
    }
    return true;
  }

  private void spendTime() {
    if (workUs > 0) {
      life.waitUntil(Journal.now() + workUs * 1_000);
    }
  }

  private boolean fallsAt(String point) {
    return falls && app.text("falls/at").equals(point) && processed == app.number("falls/after");
  }

  private boolean fallsBetween() {
    return falls && app.text("falls/at").equals("between") && processed >= app.number("falls/after");
  }

  private boolean fall() {
    if (app.text("falls/by").equals("kill")) {
      Life.die();
    }
    return false;
  }

  /** Journals processed records as delivered and counts them as done. */
  private void finish(long invoked, List<Taken> pending) {
    Map<Integer, List<long[]>> byLog = new TreeMap<>();
    for (Taken one : pending) {
      byLog.computeIfAbsent(one.log, log -> new ArrayList<>()).add(new long[] {one.offset, one.value});
    }
    byLog.forEach((log, records) -> {
      // After a step back the same offsets come again: each rising run is a delivery of its own.
      for (int from = 0; from < records.size(); ) {
        int to = from + 1;
        while (to < records.size() && records.get(to - 1)[0] < records.get(to)[0]) {
          to += 1;
        }
        deliver(log, invoked, records.subList(from, to));
        from = to;
      }
      if (!commit.equals("before")) {
        group.done(log, records.get(records.size() - 1)[0] + 1);
      }
    });
    pending.clear();
  }

  private void deliver(int log, long invoked, List<long[]> records) {
    life.journal.read(new Journal.Subject(counts.process, Journal.POLL, log, records.get(0)[0]), invoked, records);
    counts.records.addAndGet(records.size());
    counts.outcome(Answer.OK);
  }

  /** Pauses and steps back, where the application does that. */
  private void wander(long invoked, int log, List<Taken> pending) {
    if (!app.has("wanders/every") || processed % app.number("wanders/every") != 0) {
      return;
    }
    finish(invoked, pending);
    if (Arrays.asList("after-batch", "after-record", "async").contains(commit)) {
      // It goes back from a position that it has stored: what it takes next is told apart from a new owner's start.
      group.commit(List.of(log));
    }
    Collection<TopicPartition> assigned = new HashSet<>(library.assignment());
    library.pause(assigned);
    life.waitMs(app.number("wanders/pause_ms"));
    Long next = group.position(log);
    long back = app.number("wanders/back");
    if (back > 0 && next != null) {
      long from = Math.max(0, next - back);
      library.seek(life.place(log), from);
      group.renew(log);
      life.journal.observe(group.subject(Journal.ASSIGN, log), Journal.now(), Answer.ok(from));
    }
    library.resume(assigned);
  }

  private void leave() {
    group.mayStore();
    if (leaves.equals("unsubscribing")) {
      library.unsubscribe();
    }
    if (!silent()) {
      library.close();
    }
  }

  /** The polling thread passes records on and goes on polling; others do the work, a log's records always the same one. */
  private void handOn(int count) throws InterruptedException {
    AtomicLong worked = new AtomicLong();
    List<LinkedBlockingQueue<Taken>> queues = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      LinkedBlockingQueue<Taken> queue = new LinkedBlockingQueue<>();
      queues.add(queue);
      Thread thread = new Thread(() -> labour(queue, worked), "worker-" + n);
      threads.add(thread);
      thread.start();
    }
    while (!life.asked()) {
      List<Taken> taken = fill();
      taken.forEach(one -> queues.get(one.log % count).add(one));
      mark(taken);
      if (!Arrays.asList("never", "library").contains(commit)) {
        group.commit(group.owned());
      }
    }
    queues.forEach(queue -> queue.add(LAST));
    for (Thread thread : threads) {
      thread.join();
    }
  }

  private void labour(LinkedBlockingQueue<Taken> queue, AtomicLong worked) {
    try {
      for (Taken one = queue.take(); one != LAST; one = queue.take()) {
        long invoked = Journal.now();
        spendTime();
        long so = worked.getAndIncrement();
        if (falls && app.text("falls/at").equals("working") && so == app.number("falls/after")) {
          Life.die();
        }
        deliver(one.log, invoked, List.of(new long[] {one.offset, one.value}));
      }
    } catch (InterruptedException interrupted) {
      life.stop();
    }
  }
}
