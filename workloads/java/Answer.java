import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.Errors;

/** What is known of an operation after its reply. */
final class Answer {
  static final int OK = 1;
  static final int FAIL = 2;
  static final int UNKNOWN = 3;
  /** No offset was told. */
  static final long NOWHERE = -1;

  final int outcome;
  final int error;
  final long offset;

  private Answer(int outcome, int error, long offset) {
    this.outcome = outcome;
    this.error = error;
    this.offset = offset;
  }

  static Answer ok(long offset) {
    return new Answer(OK, 0, offset);
  }

  /** It may happen from now on, and nobody will tell. */
  static Answer perhaps(long offset) {
    return new Answer(UNKNOWN, 0, offset);
  }

  static Answer unknown(Throwable error) {
    return new Answer(UNKNOWN, codeOf(error), NOWHERE);
  }

  static Answer fail(Throwable error) {
    return new Answer(FAIL, codeOf(error), NOWHERE);
  }

  /**
   * Whether a call of send that ended in this error never took the record: each is thrown while metadata is waited for, the
   * record is serialized or measured, or memory for it is waited for, and all of that is before it is appended to a batch.
   */
  static boolean refusedBySend(Throwable error) {
    return error instanceof RecordTooLargeException
        || error instanceof SerializationException
        || error instanceof TimeoutException;
  }

  static int codeOf(Throwable error) {
    return error == null ? 0 : Errors.forException(bare(error)).code();
  }

  static String nameOf(Throwable error) {
    Throwable bare = bare(error);
    Errors known = Errors.forException(bare);
    return known == Errors.UNKNOWN_SERVER_ERROR ? bare.getClass().getSimpleName() : known.name();
  }

  private static Throwable bare(Throwable error) {
    boolean wrapped = error instanceof ExecutionException || error.getClass() == KafkaException.class;
    return wrapped && error.getCause() != null ? bare(error.getCause()) : error;
  }
}
