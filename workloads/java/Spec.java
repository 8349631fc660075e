import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a process is told, made flat: {@code roles/0/app/commit TAB after-batch}, a line a value. A part of it is one, too. */
final class Spec {
  private final TreeMap<String, String> values;
  private final String prefix;

  private Spec(TreeMap<String, String> values, String prefix) {
    this.values = values;
    this.prefix = prefix;
  }

  static Spec load(Path file) throws IOException {
    TreeMap<String, String> values = new TreeMap<>();
    for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
      int tab = line.indexOf('\t');
      values.put(line.substring(0, tab), line.substring(tab + 1));
    }
    return new Spec(values, "");
  }

  boolean has(String path) {
    return values.containsKey(prefix + path);
  }

  /** Whether anything stands there or below. */
  boolean holds(String path) {
    String next = values.ceilingKey(prefix + path);
    return next != null && (next.equals(prefix + path) || next.startsWith(prefix + path + "/"));
  }

  String text(String path) {
    String value = values.get(prefix + path);
    if (value == null) {
      throw new IllegalArgumentException("the specification lacks " + prefix + path);
    }
    return value;
  }

  String text(String path, String otherwise) {
    return values.getOrDefault(prefix + path, otherwise);
  }

  /** A whole number of 64 bits, with or without a sign. */
  long number(String path) {
    String text = text(path);
    return text.startsWith("-") ? Long.parseLong(text) : Long.parseUnsignedLong(text);
  }

  long number(String path, long otherwise) {
    return has(path) ? number(path) : otherwise;
  }

  double real(String path) {
    return Double.parseDouble(text(path));
  }

  Spec part(String path) {
    return new Spec(values, prefix + path + "/");
  }

  /** The parts of a list. */
  List<Spec> list(String path) {
    List<Spec> parts = new ArrayList<>();
    while (holds(path + "/" + parts.size())) {
      parts.add(part(path + "/" + parts.size()));
    }
    return parts;
  }

  /** The values of a list. */
  List<String> values(String path) {
    List<String> found = new ArrayList<>();
    while (has(path + "/" + found.size())) {
      found.add(text(path + "/" + found.size()));
    }
    return found;
  }

  /** Everything below, by the rest of its path. */
  Map<String, String> texts() {
    Map<String, String> below = new TreeMap<>();
    for (Map.Entry<String, String> entry : values.tailMap(prefix, true).entrySet()) {
      if (!entry.getKey().startsWith(prefix)) {
        break;
      }
      below.put(entry.getKey().substring(prefix.length()), entry.getValue());
    }
    return below;
  }
}
