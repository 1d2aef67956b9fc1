// Checks with the JDBC driver of Arrow Flight SQL. The cases to ask are in cases.txt; their rows are written to NAME.rows.

import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;

public class Jdbc {
    static final String VISITS = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction";

    interface Check {
        void run() throws Exception;
    }

    /** The properties of a connection; a null takes one away. */
    static Properties properties(String... changes) {
        Properties properties = new Properties();
        properties.put("token", System.getenv("WANQU_TOKEN"));
        properties.put("tlsRootCerts", System.getenv("WANQU_CA_FILE"));
        properties.put("wanqu-project", "capacity");
        properties.put("wanqu-purpose", "health-planning");
        for (int i = 0; i < changes.length; i += 2) {
            if (changes[i + 1] == null) {
                properties.remove(changes[i]);
            } else {
                properties.put(changes[i], changes[i + 1]);
            }
        }
        return properties;
    }

    static Connection connect(String... changes) throws SQLException {
        String url = "jdbc:arrow-flight-sql://localhost:" + System.getenv("WANQU_PORT");
        return DriverManager.getConnection(url, properties(changes));
    }

    static void expect(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(String.valueOf(what));
        }
    }

    static void equal(Object expected, Object found) {
        expect(expected.equals(found), "expected " + expected + ", found " + found);
    }

    /** Checks that a call fails with a text that has all these words. */
    static void refused(Check call, String... words) throws Exception {
        try {
            call.run();
        } catch (SQLException | RuntimeException error) {
            StringBuilder said = new StringBuilder();
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                said.append(cause.getMessage()).append('\n');
            }
            for (String word : words) {
                expect(said.toString().contains(word), "'" + word + "' is not in: " + said);
            }
            return;
        }
        throw new AssertionError("not refused; expected " + List.of(words));
    }

    /** A value in the form in which the harness compares them. */
    static String cell(Object value) {
        if (value == null) {
            return "NULL";
        }
        if (value instanceof Date date) {
            return "day " + date.toLocalDate().toEpochDay();
        }
        if (value instanceof Timestamp moment) {
            return "µs " + ChronoUnit.MICROS.between(Instant.EPOCH, moment.toInstant());
        }
        if (value instanceof Double || value instanceof Float) {
            return "float " + value;
        }
        if (value instanceof BigDecimal number) {
            BigDecimal least = number.stripTrailingZeros();
            least = least.scale() < 0 ? least.setScale(0) : least;
            return least.unscaledValue() + "e-" + least.scale();
        }
        return value.toString();
    }

    static List<List<Object>> rows(ResultSet result) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                row.add(result.getObject(column));
            }
            rows.add(row);
        }
        return rows;
    }

    /** One column of a result, which is closed. */
    static List<String> column(ResultSet result, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        try (result) {
            while (result.next()) {
                values.add(result.getString(name));
            }
        }
        return values;
    }

    static void bind(PreparedStatement statement, int position, String kind, String value) throws SQLException {
        switch (kind) {
            case "text" -> statement.setString(position, value);
            case "integer" -> statement.setLong(position, Long.parseLong(value));
            case "float" -> statement.setDouble(position, Double.parseDouble(value));
            case "truth" -> statement.setBoolean(position, Boolean.parseBoolean(value));
            case "decimal" -> statement.setBigDecimal(position, new BigDecimal(value));
            case "day" -> statement.setDate(position, Date.valueOf(LocalDate.parse(value)));
            case "moment" -> statement.setTimestamp(position, Timestamp.from(Instant.parse(value)));
            case "null" -> statement.setNull(position, Types.NULL);
            default -> throw new IllegalArgumentException(kind);
        }
    }

    static void check_answers() throws Exception {
        try (Connection connection = connect()) {
            for (String line : Files.readString(Path.of("cases.txt")).split("\u001d")) {
                String[] parts = line.split("\u001e");
                try (PreparedStatement statement = connection.prepareStatement(parts[1])) {
                    for (int position = 2; position < parts.length; position++) {
                        String[] value = parts[position].split("\u001f", -1);
                        bind(statement, position - 1, value[0], value[1]);
                    }
                    StringBuilder written = new StringBuilder();
                    for (List<Object> row : rows(statement.executeQuery())) {
                        List<String> cells = new ArrayList<>();
                        row.forEach(value -> cells.add(cell(value)));
                        written.append(String.join("\u001f", cells)).append('\u001e');
                    }
                    Files.writeString(Path.of(parts[0] + ".rows"), written);
                } catch (SQLException | RuntimeException error) {
                    throw new AssertionError(parts[0] + ": " + parts[1], error);
                }
            }
        }
    }

    static void check_plain_statements() throws Exception {
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            ResultSet result = statement.executeQuery(VISITS);
            ResultSetMetaData columns = result.getMetaData();
            equal("jurisdiction", columns.getColumnName(1));
            equal(Types.BIGINT, columns.getColumnType(2));
            List<List<Object>> first = rows(result);
            expect(first.size() == 3, first);
            expect(statement.execute(VISITS), "it gives rows");
            equal(first, rows(statement.getResultSet()));
            statement.setMaxRows(2);
            equal(2, rows(statement.executeQuery("SELECT * FROM gba.health.facilities")).size());
        }
    }

    static void check_one_statement_again_with_other_values() throws Exception {
        String sql = "SELECT facility FROM gba.health.facilities WHERE facility = ?";
        try (Connection connection = connect(); PreparedStatement statement = connection.prepareStatement(sql)) {
            for (String facility : List.of("SZ-00", "HK-01", "'; DROP TABLE x; --", "SZ-00")) {
                statement.setString(1, facility);
                List<List<Object>> expected = facility.contains("DROP") ? List.of() : List.of(List.of(facility));
                equal(expected, rows(statement.executeQuery()));
            }
        }
    }

    /** A value that is too large for the column that it is compared with stays what it is. */
    static void check_values_are_not_cut() throws Exception {
        try (Connection connection = connect();
                PreparedStatement beds = connection.prepareStatement(
                        "SELECT count(*) FROM gba.health.facilities WHERE beds > ?")) {
            equal(1, beds.getParameterMetaData().getParameterCount());
            equal(Types.BIGINT, beds.getParameterMetaData().getParameterType(1));
            for (long value : new long[] {0, (1L << 32) + 1, Long.MAX_VALUE}) {
                beds.setLong(1, value);
                ResultSet result = beds.executeQuery();
                expect(result.next() && (result.getLong(1) > 0) == (value == 0), value);
            }
        }
    }

    static void check_parameters_that_cannot_be() throws Exception {
        // A parameter whose type the text does not tell is text. The driver says so itself.
        refused(() -> {
            try (Connection connection = connect();
                    PreparedStatement statement = connection.prepareStatement("SELECT ? AS a")) {
                statement.setLong(1, 1);
                statement.executeQuery();
            }
        }, "LONG", "Utf8");
        refused(() -> {
            try (Connection connection = connect(); Statement statement = connection.createStatement()) {
                statement.executeUpdate("DELETE FROM gba.health.visits");
            }
        }, "not a query", "SELECT");
    }

    static void check_catalog() throws Exception {
        try (Connection connection = connect()) {
            DatabaseMetaData about = connection.getMetaData();
            Set<String> catalogs = new TreeSet<>(column(about.getCatalogs(), "TABLE_CAT"));
            expect(catalogs.containsAll(List.of("gba", "hongkong", "macau", "shenzhen")), catalogs);
            expect(column(about.getSchemas(), "TABLE_SCHEM").contains("health"), "schemas");
            equal(List.of("health"), column(about.getSchemas("gba", "heal%"), "TABLE_SCHEM"));
            equal(List.of("TABLE"), column(about.getTableTypes(), "TABLE_TYPE"));
            List<String> all = column(about.getTables("gba", null, "%", new String[] {"TABLE"}), "TABLE_NAME");
            expect(all.containsAll(List.of("visits", "patients", "facilities")), all);
            equal(List.of(), column(about.getTables("gba", null, "%", new String[] {"VIEW"}), "TABLE_NAME"));
            equal(List.of("visits"), column(about.getTables("gba", "health", "v_sits", null), "TABLE_NAME"));
            equal(List.of(), column(about.getTables("gba", "health", "v\\_sits", null), "TABLE_NAME"));
            equal(List.of(), column(about.getTables(null, null, "VISITS", null), "TABLE_NAME"));

            List<String> seen = new ArrayList<>();
            try (ResultSet columns = about.getColumns("gba", "health", "visits", "%")) {
                while (columns.next()) {
                    seen.add(columns.getString("COLUMN_NAME"));
                    equal(seen.size(), columns.getInt("ORDINAL_POSITION"));
                    if (columns.getString("COLUMN_NAME").equals("cost")) {
                        equal("decimal(12,2)", columns.getString("TYPE_NAME"));
                        equal(Types.DECIMAL, columns.getInt("DATA_TYPE"));
                        equal(12, columns.getInt("COLUMN_SIZE"));
                        equal(2, columns.getInt("DECIMAL_DIGITS"));
                    }
                }
            }
            expect(seen.containsAll(List.of("patient", "specialty", "cost")), seen);
            equal(List.of("cost"), column(about.getColumns("gba", "health", "visits", "co%"), "COLUMN_NAME"));

            for (ResultSet keys : List.of(
                    about.getPrimaryKeys("gba", "health", "visits"),
                    about.getImportedKeys("gba", "health", "visits"),
                    about.getExportedKeys("gba", "health", "visits"),
                    about.getCrossReference("gba", "health", "visits", "gba", "health", "patients"),
                    about.getIndexInfo("gba", "health", "visits", false, true),
                    about.getProcedures(null, null, null),
                    about.getFunctions(null, null, null),
                    about.getUDTs(null, null, null, null),
                    about.getTypeInfo())) {
                try (keys) {
                    rows(keys);
                }
            }
        }
    }

    /** Every fact without an argument can be asked for: tools ask for nearly all of them as they connect. */
    static void check_facts() throws Exception {
        try (Connection connection = connect()) {
            DatabaseMetaData about = connection.getMetaData();
            equal("Wanqu", about.getDatabaseProductName());
            equal("\"", about.getIdentifierQuoteString());
            equal("catalog", about.getCatalogTerm());
            expect(about.isReadOnly() && !about.supportsTransactions(), "read-only, without transactions");
            equal(Connection.TRANSACTION_NONE, about.getDefaultTransactionIsolation());
            int asked = 0;
            List<String> failed = new ArrayList<>();
            for (var fact : DatabaseMetaData.class.getMethods()) {
                Class<?> type = fact.getReturnType();
                if (fact.getParameterCount() == 0 && (type == String.class || type.isPrimitive())) {
                    asked++;
                    try {
                        fact.invoke(about);
                    } catch (ReflectiveOperationException error) {
                        failed.add(fact.getName() + ": " + error.getCause());
                    }
                }
            }
            expect(failed.isEmpty(), failed);
            expect(asked > 100, asked);
            expect(connection.isValid(5) && connection.getWarnings() == null, "valid");
        }
    }

    static void check_refusals() throws Exception {
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            refused(() -> statement.executeQuery("SELECT * FROM gba.health.visits LIMIT 200"),
                    "rule:", "remedy:", "count(*)", "GROUP BY");
            refused(() -> statement.executeQuery("SELECT nothing FROM gba.health.visits"), "nothing", "remedy:");
            refused(() -> statement.executeQuery("SELECT FROM WHERE"), "remedy:");
            refused(() -> statement.executeQuery("SET wanqu.other = 1; SELECT 1"), "no such setting", "wanqu.project");
            // A text that is long: the refusal still fits into the head that this client takes.
            String name = "n".repeat(3000);
            refused(() -> statement.executeQuery("SELECT " + name + " FROM gba.health.visits"), "unknown-name", "remedy:");
            refused(() -> statement.executeQuery("SELECT " + "湾".repeat(1500) + " FROM gba.health.visits"), "unknown-name", "remedy:");
            equal(2, rows(statement.executeQuery("SELECT * FROM gba.health.facilities LIMIT 2")).size());
        }
    }

    static void check_options() throws Exception {
        refused(() -> asked("wanqu-project", null), "names no project", "wanqu-project");
        refused(() -> asked("wanqu-project", "no-such-project"), "does not take part");
        refused(() -> asked("wanqu-partial", "perhaps"), "header wanqu-partial", "true or false");
        refused(() -> asked("catalog", "gba"), "no current catalog", "gba.health.visits");
    }

    static void asked(String... changes) throws SQLException {
        try (Connection connection = connect(changes); Statement statement = connection.createStatement()) {
            rows(statement.executeQuery(VISITS));
        }
    }

    static void check_who_asks() throws Exception {
        refused(() -> asked("token", "x.y.z"), "token");
        refused(() -> asked("token", null, "user", "wei", "password", "secret"), "no user's name and password", "Bearer TOKEN");
        // Without the authority of the gateway's certificate the driver connects to nobody.
        refused(() -> asked("tlsRootCerts", null), "UNAVAILABLE");
    }

    public static void main(String[] arguments) throws Exception {
        List<String> failed = new ArrayList<>();
        for (var method : Jdbc.class.getDeclaredMethods()) {
            if (method.getName().startsWith("check_")) {
                try {
                    method.invoke(null);
                    System.out.println("passed " + method.getName());
                } catch (ReflectiveOperationException error) {
                    failed.add(method.getName());
                    error.getCause().printStackTrace();
                }
            }
        }
        System.exit(failed.isEmpty() ? 0 : 1);
    }
}
