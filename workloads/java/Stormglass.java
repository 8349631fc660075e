import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Applications on Apache Kafka's own Java client: the same roles, journals and tallies as the process on librdkafka has.
 *
 * <p>{@code run FILE CLOCK} lives the life of a client process, told by a specification made flat ({@link Spec}); {@code
 * names} prints every property that the client knows; {@code check SIDE NAME=VALUE…} says which values it does not take.
 */
public final class Stormglass {
  private static final long CLOCK_APART_NS = 120_000_000_000L;

  private Stormglass() {}

  public static void main(String[] args) throws Exception {
    switch (args.length > 0 ? args[0] : "") {
      case "run":
        System.exit(run(Path.of(args[1]), Long.parseLong(args[2])));
        break;
      case "names":
        System.out.println("version\t" + AppInfoParser.getVersion());
        new TreeSet<>(ProducerConfig.configNames()).forEach(name -> System.out.println("producer\t" + name));
        new TreeSet<>(ConsumerConfig.configNames()).forEach(name -> System.out.println("consumer\t" + name));
        break;
      case "check":
        check(args);
        break;
      default:
        System.err.println("usage: run FILE CLOCK | names | check SIDE NAME=VALUE…");
        System.exit(64);
    }
  }

  /** A line for each value that the client does not take. */
  private static void check(String[] args) {
    boolean producer = args[1].equals("producer");
    for (int n = 2; n < args.length; n++) {
      String name = args[n].substring(0, args[n].indexOf('='));
      Properties one = new Properties();
      one.put(name, args[n].substring(name.length() + 1));
      try {
        if (producer) {
          one.putIfAbsent("key.serializer", ByteArraySerializer.class.getName());
          one.putIfAbsent("value.serializer", ByteArraySerializer.class.getName());
          new ProducerConfig(one);
        } else {
          one.putIfAbsent("key.deserializer", ByteArrayDeserializer.class.getName());
          one.putIfAbsent("value.deserializer", ByteArrayDeserializer.class.getName());
          one.putIfAbsent("group.id", "stormglass");
          new ConsumerConfig(one);
        }
      } catch (ConfigException refused) {
        String why = String.valueOf(refused.getMessage());
        // What is wrong only together with other settings is refused when the client is made.
        if (why.contains(name)) {
          System.out.println(name + "\t" + why.replace('\n', ' '));
        }
      }
    }
  }

  private static int run(Path file, long clock) throws Exception {
    long apart = System.nanoTime() - clock;
    if (apart < 0 || apart > CLOCK_APART_NS) {
      System.err.println("client: this JVM's clock is not the machine's CLOCK_MONOTONIC (" + apart + " ns apart)");
      return 70;
    }
    Spec spec = Spec.load(file);
    Life life = new Life(spec);
    List<Role> roles = new ArrayList<>();
    for (Spec role : spec.list("roles")) {
      roles.add(Role.of(life, role));
    }
    List<Thread> threads = new ArrayList<>();
    for (Role role : roles) {
      Thread thread = new Thread(() -> life.guarded(role), role.name());
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    life.journal.close();
    life.save(roles);
    if (life.failed()) {
      return 70;
    }
    if (roles.stream().anyMatch(Role::silent)) {
      Runtime.getRuntime().halt(0);
    }
    return 0;
  }

  /** Something that one thread of the process does. */
  abstract static class Role {
    final Life life;
    final Spec spec;
    final Counts counts;

    Role(Life life, Spec spec) {
      this.life = life;
      this.spec = spec;
      this.counts = new Counts((int) spec.number("process"));
    }

    static Role of(Life life, Spec spec) {
      switch (spec.text("role")) {
        case "producer":
          return new Producing(life, spec);
        case "consumer":
          return spec.has("mode/group/number") ? new Member(life, spec) : new Reading(life, spec);
        case "transactor":
          return new Transactional.Transactor(life, spec);
        case "transform":
          return new Transactional.Transform(life, spec);
        default:
          throw new IllegalArgumentException("the Java client has no role " + spec.text("role"));
      }
    }

    String name() {
      return spec.text("role");
    }

    /** Does it until its load is done or the process is asked to stop. */
    abstract void live() throws Exception;

    /** Whether the process just ends, without what a JVM does at its end. */
    boolean silent() {
      return false;
    }

    /** The client's properties, with what the run decides. */
    Map<String, Object> properties(Spec given) {
      Map<String, Object> properties = new java.util.HashMap<>(given.texts());
      properties.put("bootstrap.servers", String.join(",", life.spec.values("bootstrap")));
      properties.putIfAbsent("client.id", life.spec.text("name"));
      return properties;
    }
  }
}
