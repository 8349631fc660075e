import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * The journal of the process: segments mapped and shared, so that what is stored survives the process's SIGKILL.
 *
 * <p>The layout is that of {@code history::journal}. An entry's first word is stored last, with release order. A segment's
 * blocks are written before it is mapped, so that a full disk is an error and never a signal.
 */
final class Journal {
  static final int POLL = 2;
  static final int APPEND = 1;
  static final int COMMIT = 8;
  static final int ASSIGN = 10;
  static final int REVOKE = 11;
  static final int TXN_BEGIN = 12;
  static final int TXN_COMMIT = 13;
  static final int TXN_ABORT = 14;

  private static final int WORD = Long.BYTES;
  private static final int SEGMENT_BYTES = 4 << 20;
  private static final int HEADER_WORDS = 8;
  private static final int ENTRY_WORDS = 5;
  private static final int RECORDS_PER_READ_MAX = 64 * 1024;
  private static final long MAGIC = 0x0002_4c4e_524a_4753L;
  private static final int RETURN = 0x40;
  private static final int OBSERVE = 0x80;
  private static final VarHandle LONG =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final long run;
  private final boolean records;
  private FileChannel file;
  private ByteBuffer map;
  private int index;
  private int at;

  Journal(Path path, long run, boolean records) throws IOException {
    this.path = path;
    this.run = run;
    this.records = records;
    if (records) {
      open(path);
    }
  }

  /** What identifies an operation, apart from its times and its answer. */
  static final class Subject {
    final int process;
    final int kind;
    final int log;
    final long detail;

    Subject(int process, int kind, int log, long detail) {
      this.process = process;
      this.kind = kind;
      this.log = log;
      this.detail = detail;
    }
  }

  static long now() {
    return System.nanoTime();
  }

  /** Journals that something is about to be asked for; returns when that was. */
  long invoke(Subject subject, long intended) {
    long invoked = now();
    append(head(subject.kind, 0, 0, subject), invoked, subject.log, subject.detail, intended, null);
    return invoked;
  }

  /** Journals the reply. */
  void complete(Subject subject, Answer answer) {
    long first = head(subject.kind | RETURN, answer.outcome, answer.error, subject);
    append(first, now(), subject.log, subject.detail, answer.offset, null);
  }

  /** Journals a question asked at {@code invoked}, and its answer. */
  void observe(Subject subject, long invoked, Answer answer) {
    long first = head(subject.kind | OBSERVE, answer.outcome, answer.error, subject);
    append(first, invoked, subject.log, subject.detail, now(), new long[] {answer.offset});
  }

  /** Journals records of one log, read since {@code invoked}: pairs of offset and value. */
  void read(Subject subject, long invoked, List<long[]> read) {
    for (int from = 0; from < read.size(); from += RECORDS_PER_READ_MAX) {
      List<long[]> part = read.subList(from, Math.min(read.size(), from + RECORDS_PER_READ_MAX));
      long[] words = new long[2 * part.size()];
      for (int n = 0; n < part.size(); n++) {
        words[2 * n] = part.get(n)[0];
        words[2 * n + 1] = part.get(n)[1];
      }
      long place = (subject.log & 0xffff_ffffL) | (long) part.size() << 32;
      append(head(subject.kind, Answer.OK, 0, subject), invoked, place, part.get(0)[0], now(), words);
    }
  }

  private static long head(int kind, int outcome, int error, Subject subject) {
    return kind & 0xff | (outcome & 0xffL) << 8 | (error & 0xffffL) << 16 | (long) subject.process << 32;
  }

  private synchronized void append(long first, long time, long place, long detail, long last, long[] more) {
    if (!records) {
      return;
    }
    int words = ENTRY_WORDS + (more == null ? 0 : more.length);
    try {
      if (at + words * WORD > SEGMENT_BYTES) {
        index += 1;
        String name = path.getFileName().toString().replaceAll("\\.sgj$", "." + index + ".sgj");
        open(path.resolveSibling(name));
      }
    } catch (IOException error) {
      // Without a journal nothing may be sent.
      System.err.println("client: journal: " + error);
      Runtime.getRuntime().halt(70);
    }
    map.putLong(at + WORD, time);
    map.putLong(at + 2 * WORD, place);
    map.putLong(at + 3 * WORD, detail);
    map.putLong(at + 4 * WORD, last);
    for (int n = 0; more != null && n < more.length; n++) {
      map.putLong(at + (ENTRY_WORDS + n) * WORD, more[n]);
    }
    LONG.setRelease(map, at, first);
    at += words * WORD;
  }

  private void open(Path segment) throws IOException {
    FileChannel next = FileChannel.open(
        segment, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
    ByteBuffer zeros = ByteBuffer.allocate(1 << 16);
    for (int written = 0; written < SEGMENT_BYTES; ) {
      zeros.clear();
      written += next.write(zeros, written);
    }
    MappedByteBuffer mapped = next.map(FileChannel.MapMode.READ_WRITE, 0, SEGMENT_BYTES);
    if (file != null) {
      file.close();
    }
    file = next;
    map = mapped.order(ByteOrder.LITTLE_ENDIAN);
    map.putLong(WORD, run);
    map.putLong(2 * WORD, now());
    map.putLong(3 * WORD, System.currentTimeMillis() * 1_000_000);
    LONG.setRelease(map, 0, MAGIC);
    at = HEADER_WORDS * WORD;
  }

  /** Gives back what the last segment did not use. Nothing is journalled after it. */
  synchronized void close() throws IOException {
    if (records) {
      map = ByteBuffer.allocate(SEGMENT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      file.truncate(at);
      file.close();
    }
  }
}
