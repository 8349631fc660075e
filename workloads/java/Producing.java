import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A producer and the application around it.
 *
 * <p>Each record is invoked in the journal exactly once in a life, before its first send, however often the application sends
 * it again; a record's sequence is its place in the order of hand-over.
 */
final class Producing extends Stormglass.Role {
  private static final long LATE_NS = 1_000_000;
  private static final long WARM_UP_MS = 5_000;
  private static final long LOOK_MS = 10;
  private static final long SEQUENCE_MASK = (1L << 40) - 1;
  private static final int WANTED_BYTES = 12;

  private final int process = (int) spec.number("process");
  private final long writer = spec.number("writer");
  private final Spec app = spec.part("app");
  private final String onError = app.text("on_error", "go-on");
  private final boolean waits = app.text("on_full", "wait").equals("wait");
  private final boolean flushes = app.text("at_exit", "flush").equals("flush");
  private final AtomicLong outstanding = counts.open;
  private final Queue<Draft> again = new ConcurrentLinkedQueue<>();
  private final ThreadLocal<Boolean> sending = ThreadLocal.withInitial(() -> false);
  private final SplittableRandom random;
  private volatile boolean patient = true;
  private KafkaProducer<byte[], byte[]> library;
  private FileChannel wanted;
  private FileChannel done;
  private long sequence;

  Producing(Life life, Spec spec) {
    super(life, spec);
    random = new SplittableRandom(life.spec.number("seed") ^ writer * 0x9E37_79B9_7F4A_7C15L);
  }

  /** A record on its way. */
  private static final class Draft {
    final int at;
    final byte[] key;
    final long value;

    Draft(int at, byte[] key, long value) {
      this.at = at;
      this.key = key;
      this.value = value;
    }
  }

  @Override
  boolean silent() {
    return !flushes;
  }

  @Override
  void live() throws Exception {
    List<Draft> left = openOutbox();
    library = new KafkaProducer<>(properties(spec.part("properties")), new ByteArraySerializer(), new ByteArraySerializer());
    long began = Journal.now();
    for (Draft draft : left) {
      handOver(draft, Journal.now());
    }
    long reportsMs = life.flushMs;
    if (spec.has("load/open-loop/per_second")) {
      openLoop(spec.real("load/open-loop/per_second"));
    } else if (spec.has("load/closed-loop/outstanding_max")) {
      closedLoop(spec.number("load/closed-loop/outstanding_max"));
    } else {
      reportsMs = spec.number("load/wave/wait_ms_max");
      for (long n = 0; n < spec.number("load/wave/records") && !life.asked() && !counts.ended(); n++) {
        if (!handOver(next(), Journal.now())) {
          break;
        }
      }
    }
    if (flushes) {
      awaitReports(reportsMs);
      counts.workedNs.set(Journal.now() - began);
      // What is still under way is reported as it is given up: as unknown.
      library.close(java.time.Duration.ZERO);
    }
  }

  private void openLoop(double perSecond) throws IOException {
    int first = life.places.size();
    for (int n = 0; n < first; n++) {
      handOver(next(), Journal.now());
    }
    long deadline = Journal.now() + WARM_UP_MS * 1_000_000;
    while (outstanding.get() > 0 && Journal.now() < deadline && !life.asked()) {
      life.waitMs(LOOK_MS);
    }
    long start = Journal.now();
    for (long n = 0; ; n++) {
      long due = start + (long) (n * 1e9 / perSecond);
      if (life.waitUntil(due) || ended()) {
        break;
      }
      sendAgain();
      if (!handOver(next(), due)) {
        break;
      }
    }
    counts.intended.set(first + (long) Math.ceil((Journal.now() - start) * perSecond / 1e9));
  }

  private void closedLoop(long outstandingMax) throws IOException {
    while (true) {
      while (outstanding.get() >= outstandingMax && !life.asked()) {
        sendAgain();
        awaitReport();
      }
      if (life.asked() || ended() || !handOver(next(), Journal.now())) {
        return;
      }
    }
  }

  /** True once nothing more is sent, but not before the process is asked to end. */
  private boolean ended() {
    while (counts.ended() && !life.waitMs(1_000)) {}
    return counts.ended();
  }

  private synchronized void awaitReport() {
    try {
      wait(LOOK_MS);
    } catch (InterruptedException interrupted) {
      life.stop();
    }
  }

  private void awaitReports(long reportsMs) {
    long deadline = Journal.now() + reportsMs * 1_000_000;
    boolean hasty = false;
    while (outstanding.get() > 0 && Journal.now() < deadline) {
      sendAgain();
      if (life.asked() && !hasty) {
        hasty = true;
        deadline = Math.min(deadline, Journal.now() + life.flushMs * 1_000_000);
      }
      awaitReport();
    }
    patient = false;
    for (Draft draft = again.poll(); draft != null; draft = again.poll()) {
      complete(draft, Answer.unknown(new TimeoutException("given up by the application")));
    }
  }

  private Draft next() {
    long logs = life.places.size();
    byte[] key = null;
    long turn = sequence;
    if (spec.has("spread/keyed/keys")) {
      turn = Long.remainderUnsigned(random.nextLong(), spec.number("spread/keyed/keys"));
      key = ByteBuffer.allocate(8).putLong(turn).array();
    } else if (spec.has("spread/cycle/keys")) {
      turn = sequence % spec.number("spread/cycle/keys");
      key = ByteBuffer.allocate(8).putLong(writer << 40 | turn).array();
    }
    return new Draft((int) (turn % logs), key, writer << 40 | sequence++);
  }

  /** Journals the invocation, then gives the record to the client; false if the load ends with it. */
  private boolean handOver(Draft draft, long due) throws IOException {
    if (wanted != null) {
      ByteBuffer entry = ByteBuffer.allocate(WANTED_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      wanted.write(entry.putInt(life.ids.get(draft.at)).putLong(draft.value).flip());
    }
    long invoked = life.journal.invoke(subject(draft), due);
    long sent = counts.sent.incrementAndGet();
    if (invoked - due > LATE_NS) {
      counts.late.incrementAndGet();
    }
    outstanding.incrementAndGet();
    enqueue(draft, false);
    if (app.holds("dies/after") && sent == app.number("dies/after")) {
      if (app.text("dies/by").equals("kill")) {
        Life.die();
      }
      return false;
    }
    return true;
  }

  private Journal.Subject subject(Draft draft) {
    return new Journal.Subject(process, Journal.APPEND, life.ids.get(draft.at), draft.value);
  }

  private void sendAgain() {
    for (Draft draft = again.poll(); draft != null; draft = again.poll()) {
      enqueue(draft, true);
    }
  }

  /** Gives a record to the client; one it does not take is reported here, by what it threw or by what it called back with. */
  private void enqueue(Draft draft, boolean repeated) {
    TopicPartition place = life.places.get(draft.at);
    byte[] payload = life.payload(life.ids.get(draft.at), draft.value, bytesOf(draft.value));
    RecordHeaders headers = new RecordHeaders();
    for (int n = 0; n < app.number("headers", 0); n++) {
      headers.add(new RecordHeader("stormglass-" + n, ByteBuffer.allocate(8).putLong(draft.value).array()));
    }
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(place.topic(), place.partition(), null, draft.key, payload, headers);
    while (true) {
      Exception[] refused = new Exception[1];
      sending.set(true);
      try {
        library.send(record, (metadata, error) -> {
          if (error != null && sending.get()) {
            refused[0] = error;
          } else {
            report(draft, error, error == null ? metadata.offset() : Answer.NOWHERE);
          }
        });
      } catch (RuntimeException thrown) {
        refused[0] = thrown;
      }
      sending.set(false);
      if (refused[0] == null) {
        return;
      }
      // A full buffer, or metadata that do not come: a careful application is late, never short.
      if (refused[0] instanceof TimeoutException && waits && !life.asked()) {
        counts.fullWaits.incrementAndGet();
        continue;
      }
      counts.error(refused[0]);
      // An earlier attempt may have been appended: a refusal of this one tells nothing.
      boolean fails = !repeated && Answer.refusedBySend(refused[0]);
      complete(draft, fails ? Answer.fail(refused[0]) : Answer.unknown(refused[0]));
      return;
    }
  }

  private int bytesOf(long value) {
    boolean large = app.holds("large/every") && (value & SEQUENCE_MASK) % app.number("large/every") == app.number("large/every") - 1;
    return (int) (large ? app.number("large/bytes") : spec.number("record_bytes"));
  }

  /** A record's last word, heard on the client's own thread. */
  private void report(Draft draft, Exception error, long offset) {
    Answer answer = error == null ? Answer.ok(offset) : life.reported(error);
    if (error != null) {
      counts.error(error);
    }
    if (answer.outcome == Answer.UNKNOWN && onError.equals("resend") && patient && !counts.ended()) {
      again.add(draft);
      return;
    }
    if (answer.outcome == Answer.OK) {
      acknowledged(draft.value);
    }
    complete(draft, answer);
    if (answer.outcome != Answer.OK && onError.equals("stop")) {
      counts.end("the application stops at the first error");
    }
  }

  private void complete(Draft draft, Answer answer) {
    life.journal.complete(subject(draft), answer);
    counts.outcome(answer.outcome);
    outstanding.decrementAndGet();
    synchronized (this) {
      notifyAll();
    }
  }

  /** Opens the outbox, if there is one, and says what an earlier life left in it, in order. */
  private List<Draft> openOutbox() throws IOException {
    List<Draft> left = new ArrayList<>();
    if (!app.has("outbox")) {
      return left;
    }
    Path path = Path.of(app.text("outbox"));
    Path donePath = path.resolveSibling(path.getFileName().toString().replaceAll("\\.[^.]*$", "") + ".done");
    Set<Long> crossed = new HashSet<>();
    ByteBuffer read = contents(donePath);
    while (read.remaining() >= Long.BYTES) {
      crossed.add(read.getLong());
    }
    Map<Integer, Integer> at = new HashMap<>();
    for (int n = 0; n < life.ids.size(); n++) {
      at.put(life.ids.get(n), n);
    }
    read = contents(path);
    while (read.remaining() >= WANTED_BYTES) {
      Integer log = at.get(read.getInt());
      long value = read.getLong();
      if (log != null && !crossed.contains(value)) {
        left.add(new Draft(log, null, value));
      }
    }
    wanted = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    done = FileChannel.open(donePath, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    return left;
  }

  private static ByteBuffer contents(Path path) throws IOException {
    byte[] bytes = Files.exists(path) ? Files.readAllBytes(path) : new byte[0];
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Crosses a record off. One that cannot be is sent again by the next life, which is allowed. */
  private void acknowledged(long value) {
    if (done == null) {
      return;
    }
    try {
      done.write(ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).flip());
    } catch (IOException error) {
      counts.error(error);
    }
  }
}
