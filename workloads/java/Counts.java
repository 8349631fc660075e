import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/** What a role did, for people and for floors. Never evidence; that is the journal. */
final class Counts {
  final int process;
  final AtomicLong intended = new AtomicLong();
  final AtomicLong sent = new AtomicLong();
  final AtomicLong late = new AtomicLong();
  final AtomicLong fullWaits = new AtomicLong();
  final AtomicLong open = new AtomicLong();
  final AtomicLong records = new AtomicLong();
  final AtomicLong workedNs = new AtomicLong();
  private final AtomicLong[] outcomes = {new AtomicLong(), new AtomicLong(), new AtomicLong(), new AtomicLong()};
  private final Map<String, AtomicLong> errors = new ConcurrentHashMap<>();
  private final AtomicReference<String> endedBy = new AtomicReference<>();

  Counts(int process) {
    this.process = process;
  }

  void outcome(int outcome) {
    outcomes[outcome].incrementAndGet();
  }

  void error(Throwable error) {
    errors.computeIfAbsent(Answer.nameOf(error), name -> new AtomicLong()).incrementAndGet();
  }

  void end(String why) {
    endedBy.compareAndSet(null, why);
  }

  boolean ended() {
    return endedBy.get() != null;
  }

  String json() {
    StringBuilder errors = new StringBuilder();
    new TreeMap<>(this.errors)
        .forEach((name, count) -> errors.append(errors.length() > 0 ? "," : "").append(quoted(name)).append(':').append(count));
    return "{\"process\":" + process
        + ",\"intended\":" + Math.max(intended.get(), sent.get())
        + ",\"sent\":" + sent + ",\"late\":" + late + ",\"queue_full_waits\":" + fullWaits
        + ",\"ok\":" + outcomes[1] + ",\"fail\":" + outcomes[2] + ",\"unknown\":" + outcomes[3]
        + ",\"open\":" + open + ",\"records\":" + records + ",\"worked_ns\":" + workedNs
        + ",\"errors\":{" + errors + "},\"ended_by\":" + (ended() ? quoted(endedBy.get()) : "null") + "}";
  }

  static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + '"';
  }
}
