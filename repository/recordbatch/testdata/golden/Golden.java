import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/** Writes record batches with Apache Kafka's own classes, and reads batches with them: see README.md. */
public final class Golden {
    static final long T = 1_700_000_000_000L;
    static final Map<String, ByteBuffer> files = new TreeMap<>();

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("write")) {
            codecs();
            shapes();
            transactions();
            old();
            for (var f : files.entrySet()) {
                byte[] b = new byte[f.getValue().remaining()];
                f.getValue().duplicate().get(b);
                Files.write(Path.of(args[1], f.getKey() + ".bin"), b);
                Files.writeString(Path.of(args[1], f.getKey() + ".jsonl"), read(b));
            }
        } else if (args.length == 2 && args[0].equals("read")) {
            System.out.print(read(Files.readAllBytes(Path.of(args[1]))));
        } else {
            System.err.println("usage: Golden write DIRECTORY | read FILE");
            System.exit(2);
        }
    }

    /** A batch builder; the defaults are those of a producer without idempotence. */
    static MemoryRecordsBuilder builder(byte magic, Compression c, TimestampType t, long base, long logAppendTime,
            long producer, short epoch, int sequence, boolean transactional) {
        return new MemoryRecordsBuilder(new ByteBufferOutputStream(1 << 16), magic, c, t, base, logAppendTime, producer,
                epoch, sequence, transactional, false, -1, 1 << 20);
    }

    static MemoryRecordsBuilder plain(Compression c, long base) {
        return builder((byte) 2, c, TimestampType.CREATE_TIME, base, -1, -1, (short) -1, -1, false);
    }

    static byte[] utf8(String s) {
        return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
    }

    static Header header(String key, String value) {
        return new RecordHeader(key, utf8(value));
    }

    static String login(int i) {
        return "{\"user_id\":\"424cdd21-063a-43a7-b91b-" + (7_000_000_000L + 7919L * i) + "\",\"app_version\":\"2.3." + i % 7
                + "\",\"device_type\":\"" + (i % 3 == 0 ? "iOS" : "android") + "\",\"ip\":\"199.172." + i % 251 + ".239\""
                + ",\"locale\":\"RU\",\"device_id\":\"593-47-" + (5000 + i) + "\",\"timestamp\":" + (T / 1000 + i) + "}";
    }

    static void records(MemoryRecordsBuilder b, int n) {
        for (int i = 0; i < n; i++) {
            b.append(T + 7L * i, i % 5 == 0 ? null : utf8("key-" + i), utf8(login(i)), new Header[0]);
        }
        b.append(T - 5000, utf8(""), utf8(""), new Header[] {header("a", "1"), header("a", null), header("", "")});
        b.append(T + 1_000_000_000L, utf8("tombstone"), null, new Header[] {header("trace", "é".repeat(100))});
        b.append(T, (byte[]) null, (byte[]) null, new Header[0]);
    }

    static void codecs() {
        Map<String, Compression> all = Map.of("none", Compression.NONE, "gzip", Compression.gzip().build(),
                "snappy", Compression.snappy().build(), "lz4", Compression.lz4().build(), "zstd", Compression.zstd().build());
        for (var c : all.entrySet()) {
            MemoryRecordsBuilder b = plain(c.getValue(), 0);
            records(b, 40);
            files.put("codec-" + c.getKey(), b.build().buffer());
        }
    }

    static void shapes() {
        MemoryRecordsBuilder b = builder((byte) 2, Compression.NONE, TimestampType.CREATE_TIME, 0, -1, 4711, (short) 3, 123456, true);
        records(b, 12);
        files.put("transactional", b.build().buffer());

        b = builder((byte) 2, Compression.gzip().build(), TimestampType.LOG_APPEND_TIME, 77, T + 99, -1, (short) -1, -1, false);
        records(b, 4);
        files.put("log-append-time", b.build().buffer());

        b = plain(Compression.NONE, 1L << 40); // what compaction leaves
        long[] offsets = {0, 3, 64, 8192, 1_000_000, Integer.MAX_VALUE};
        for (long o : offsets) {
            b.appendWithOffset((1L << 40) + o, T + o, utf8("k" + o), utf8("v" + o), new Header[0]);
        }
        files.put("compacted", b.build().buffer());

        ByteBuffer several = ByteBuffer.allocate(1 << 12);
        b = plain(Compression.NONE, 10);
        b.append(T, utf8("one"), utf8("1"));
        several.put(b.build().buffer());
        DefaultRecordBatch.writeEmptyHeader(several, (byte) 2, 9, (short) 0, 3, 11, 15, 2, TimestampType.CREATE_TIME, T, false, false);
        b = plain(Compression.lz4().build(), 20);
        b.append(T + 1, utf8("two"), utf8("2"));
        several.put(b.build().buffer());
        DefaultRecordBatch.writeEmptyHeader(several, (byte) 2, 9, (short) 0, 3, 21, 29, 2, TimestampType.CREATE_TIME, T, false, false);
        files.put("emptied", several.flip());

        b = new MemoryRecordsBuilder(new ByteBufferOutputStream(1 << 12), (byte) 2, Compression.NONE, TimestampType.CREATE_TIME,
                5, -1, -1, (short) -1, -1, false, false, -1, 1 << 20, T + 777); // KIP-534
        b.appendWithOffset(5, T + 10, utf8("deleted"), null, new Header[0]);
        b.appendWithOffset(6, T + 20, utf8("kept"), utf8("v"), new Header[0]);
        files.put("delete-horizon", b.build().buffer());
    }

    /** Producers 1 and 2 interleaved: 1 aborts from offset 0 on, 2 commits, 1 commits, 1 aborts from 12 on. */
    static void transactions() {
        ByteBuffer log = ByteBuffer.allocate(1 << 16);
        data(log, 0, 1, "aborted");
        data(log, 2, 2, "committed");
        data(log, 4, 1, "aborted");
        marker(log, 6, 1, ControlRecordType.ABORT);
        data(log, 7, -1, "outside");
        data(log, 9, 1, "committed");
        marker(log, 11, 1, ControlRecordType.COMMIT);
        data(log, 12, 1, "aborted");
        marker(log, 14, 2, ControlRecordType.COMMIT);
        data(log, 15, 2, "committed");
        marker(log, 17, 1, ControlRecordType.ABORT);
        data(log, 18, 1, "committed");
        marker(log, 20, 2, ControlRecordType.COMMIT);
        marker(log, 21, 1, ControlRecordType.COMMIT);
        files.put("transactions", log.flip());
    }

    static void data(ByteBuffer log, long offset, long producer, String fate) {
        MemoryRecordsBuilder b = builder((byte) 2, Compression.NONE, TimestampType.CREATE_TIME, offset, -1, producer,
                (short) (producer < 0 ? -1 : 0), producer < 0 ? -1 : (int) offset, producer >= 0);
        b.append(T + offset, utf8("p" + producer), utf8(fate));
        b.append(T + offset, utf8("p" + producer), utf8(fate));
        log.put(b.build().buffer());
    }

    static void marker(ByteBuffer log, long offset, long producer, ControlRecordType type) {
        log.put(MemoryRecords.withEndTransactionMarker(offset, T + offset, 5, producer, (short) 0, new EndTransactionMarker(type, 1)).buffer());
    }

    static void old() {
        for (byte magic = 0; magic < 2; magic++) {
            TimestampType t = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME;
            for (boolean packed : new boolean[] {false, true}) {
                MemoryRecordsBuilder b = builder(magic, packed ? Compression.gzip().build() : Compression.NONE, t, 3, -1, -1, (short) -1, -1, false);
                for (int i = 0; i < 3; i++) {
                    b.append(T + i, utf8("k" + i), utf8("v" + i));
                }
                files.put("magic" + magic + (packed ? "-gzip" : ""), b.build().buffer());
            }
        }
    }

    /** Every record as a line of JSON, control records aside. */
    static String read(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
            batch.ensureValid();
            if (batch.isControlBatch()) {
                continue;
            }
            for (org.apache.kafka.common.record.internal.Record r : batch) {
                out.append("{\"offset\":").append(r.offset()).append(",\"timestamp\":").append(r.timestamp());
                out.append(",\"key\":").append(base64(r.key())).append(",\"value\":").append(base64(r.value()));
                out.append(",\"headers\":[");
                String comma = "";
                for (Header h : r.headers()) {
                    out.append(comma).append("{\"key\":").append(base64(ByteBuffer.wrap(utf8(h.key()))));
                    out.append(",\"value\":").append(base64(h.value() == null ? null : ByteBuffer.wrap(h.value()))).append("}");
                    comma = ",";
                }
                out.append("]}\n");
            }
        }
        return out.toString();
    }

    static String base64(ByteBuffer b) {
        if (b == null) {
            return "null";
        }
        byte[] a = new byte[b.remaining()];
        b.duplicate().get(a);
        return "\"" + Base64.getEncoder().encodeToString(a) + "\"";
    }
}
