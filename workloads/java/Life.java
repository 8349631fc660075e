import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.apache.kafka.common.TopicPartition;
import sun.misc.Signal;

/** What every role of the process has at hand: specification, journal, logs, payloads, and the wish that it end. */
final class Life {
  private static final int PAYLOAD_MAGIC = 0x3147_5353;
  private static final int PAYLOAD_BYTES_MIN = 32;
  private static final int CRC_AT = 28;
  static final long CORRUPT = 0xFF_FFFFL << 40;
  static final long FOREIGN = 0xFF_FFFEL << 40;

  final Spec spec;
  final Journal journal;
  final long run;
  final long flushMs;
  /** Where logs lie, in the order of the specification. */
  final List<TopicPartition> places = new ArrayList<>();
  final List<Integer> ids = new ArrayList<>();
  private final Map<TopicPartition, Integer> logs = new HashMap<>();
  private final Set<Integer> definite = new HashSet<>();
  private final Object changed = new Object();
  private volatile boolean asked;
  private volatile boolean failed;

  Life(Spec spec) throws IOException {
    this.spec = spec;
    this.run = spec.number("run");
    this.flushMs = spec.number("flush_ms_max");
    for (Spec log : spec.list("logs")) {
      TopicPartition place = new TopicPartition(log.text("topic"), (int) log.number("partition"));
      places.add(place);
      ids.add((int) log.number("id"));
      logs.put(place, (int) log.number("id"));
    }
    spec.values("definite").forEach(code -> definite.add(Integer.parseInt(code)));
    Signal.handle(new Signal("TERM"), signal -> stop());
    Signal.handle(new Signal("INT"), signal -> stop());
    this.journal = new Journal(Path.of(spec.text("journal")), run, Boolean.parseBoolean(spec.text("records", "true")));
  }

  /** The log of a partition, or −1. */
  int log(TopicPartition place) {
    return logs.getOrDefault(place, -1);
  }

  TopicPartition place(int log) {
    return places.get(ids.indexOf(log));
  }

  void stop() {
    synchronized (changed) {
      asked = true;
      changed.notifyAll();
    }
  }

  boolean asked() {
    return asked;
  }

  /** Waits until asked to end or until that moment; says whether it was asked. */
  boolean waitUntil(long until) {
    synchronized (changed) {
      for (long left = until - Journal.now(); !asked && left > 0; left = until - Journal.now()) {
        try {
          changed.wait(left / 1_000_000, (int) (left % 1_000_000));
        } catch (InterruptedException interrupted) {
          return true;
        }
      }
      return asked;
    }
  }

  boolean waitMs(long ms) {
    return waitUntil(Journal.now() + ms * 1_000_000);
  }

  /** A role that cannot go on ends the process's work: half a client would look like a quiet one. */
  void guarded(Stormglass.Role role) {
    try {
      role.live();
    } catch (Throwable error) {
      error.printStackTrace();
      failed = true;
      stop();
    }
  }

  boolean failed() {
    return failed;
  }

  /** Ends the process at once: nothing is flushed, no hook runs. */
  static void die() {
    Runtime.getRuntime().halt(0);
  }

  /** What a report of an append that ended in an error tells. */
  Answer reported(Throwable error) {
    return definite.contains(Answer.codeOf(error)) ? Answer.fail(error) : Answer.unknown(error);
  }

  byte[] payload(int log, long value, int bytes) {
    ByteBuffer out = ByteBuffer.allocate(Math.max(bytes, PAYLOAD_BYTES_MIN)).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(PAYLOAD_MAGIC).putInt(log).putLong(run).putLong(value).putInt(out.capacity()).putInt(0);
    long pattern = value * 0x9E37_79B9_7F4A_7C15L;
    for (int n = 0; out.hasRemaining(); n++) {
      out.put((byte) (pattern >>> 8 * (n % 8)));
    }
    out.putInt(CRC_AT, checksum(out.array()));
    return out.array();
  }

  /** The value that a payload carries, or one of those that stand for none. */
  long value(byte[] bytes) {
    if (bytes == null || bytes.length < 4) {
      return FOREIGN;
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (in.getInt(0) != PAYLOAD_MAGIC) {
      return FOREIGN;
    }
    boolean whole = bytes.length >= PAYLOAD_BYTES_MIN && in.getInt(24) == bytes.length && in.getInt(CRC_AT) == checksum(bytes);
    if (!whole) {
      return CORRUPT;
    }
    long value = in.getLong(16);
    return in.getLong(8) != run || Long.compareUnsigned(value, FOREIGN) >= 0 ? FOREIGN : value;
  }

  private static int checksum(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, CRC_AT);
    crc.update(bytes, CRC_AT + 4, bytes.length - CRC_AT - 4);
    return (int) crc.getValue();
  }

  void save(List<Stormglass.Role> roles) throws IOException {
    String tallies = roles.stream().map(role -> role.counts.json()).collect(Collectors.joining(","));
    String text = "{\"name\":" + Counts.quoted(spec.text("name")) + ",\"roles\":[" + tallies + "]}";
    Path path = Path.of(spec.text("journal").replaceAll("\\.sgj$", ".status.json"));
    Path unfinished = path.resolveSibling(path.getFileName() + ".tmp");
    Files.write(unfinished, text.getBytes(StandardCharsets.UTF_8));
    Files.move(unfinished, path, StandardCopyOption.ATOMIC_MOVE);
  }
}
