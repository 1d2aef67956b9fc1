"""Checks with adbc-driver-flightsql. The cases to ask are in cases.json; their rows are written as Arrow streams."""

import datetime
import decimal
import json
import os
import sys
import traceback
import warnings

import pyarrow
import pyarrow.ipc
from adbc_driver_flightsql import DatabaseOptions, dbapi
from adbc_driver_manager import NotSupportedError, OperationalError, ProgrammingError

warnings.simplefilter("error")

HEADER = "adbc.flight.sql.rpc.call_header."
VISITS = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction"


def connect(project="capacity", purpose="health-planning", **more):
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: os.environ["WANQU_CA"],
        DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + os.environ["WANQU_TOKEN"],
    }
    if project:
        options[HEADER + "wanqu-project"] = project
    if purpose:
        options[HEADER + "wanqu-purpose"] = purpose
    options.update(more)
    options = {name: value for name, value in options.items() if value is not None}
    return dbapi.connect(os.environ["WANQU_GATEWAY"], db_kwargs=options, autocommit=True)


def asked(sql, parameters=None, **how):
    with connect(**how) as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def refused(kind, words, call):
    """The error of this kind that the call raises, which says all these words in its one text."""
    try:
        call()
    except kind as error:
        text = str(error)
        lacking = [word for word in words if word not in text]
        assert not lacking, f"{lacking} not in: {text}"
        return
    raise AssertionError(f"not refused; expected {words}")


def value(written):
    if isinstance(written, dict):
        (kind, text), = written.items()
        read = {
            "date": datetime.date.fromisoformat,
            "moment": datetime.datetime.fromisoformat,
            "decimal": decimal.Decimal,
        }
        return read[kind](text)
    return written


def check_answers():
    with open("cases.json") as file:
        cases = json.load(file)
    with connect() as connection, connection.cursor() as cursor:
        for case in cases:
            parameters = [value(one) for one in case["parameters"]]
            cursor.execute(case["sql"], parameters or None)
            table = cursor.fetch_arrow_table()
            with pyarrow.ipc.new_stream(case["name"] + ".arrow", table.schema) as writer:
                writer.write_table(table)


def check_one_statement_again_with_other_values():
    sql = "SELECT facility FROM gba.health.facilities WHERE facility = ?"
    with connect() as connection, connection.cursor() as cursor:
        for facility in ["SZ-00", "HK-01", "'; DROP TABLE x; --", "SZ-00"]:
            cursor.execute(sql, [facility])
            expected = [] if "DROP" in facility else [(facility,)]
            assert cursor.fetchall() == expected, facility


def check_several_rows_of_values_are_refused():
    with connect() as connection, connection.cursor() as cursor:
        many = lambda: cursor.executemany("SELECT ? AS a", [[1], [2]])
        refused(NotSupportedError, ["not offered", "by execute, not by executemany"], many)
        rows = pyarrow.record_batch([[1, 2]], names=["0"])
        refused(ProgrammingError, ["2 rows of values", "IN (?, ?, ?)"], lambda: cursor.execute("SELECT ? AS a", rows))
        refused(ProgrammingError, ["1 parameters, and 0 values"], lambda: cursor.execute("SELECT ? AS b"))
        refused(ProgrammingError, ["1 parameters, and 2 values"], lambda: cursor.execute("SELECT ? AS c", [1, 2]))


def check_schema_without_running():
    with connect() as connection, connection.cursor() as cursor:
        for sql in [VISITS, "SELECT * FROM gba.health.facilities", "EXPLAIN " + VISITS]:
            schema = cursor.adbc_execute_schema(sql)
            cursor.execute(sql)
            read = cursor.fetch_arrow_table().schema
            assert [(f.name, f.type) for f in schema] == [(f.name, f.type) for f in read], (schema, read)
        cursor.adbc_prepare("SELECT facility FROM gba.health.facilities WHERE beds > ? AND opened < ? AND kind = ?")
        # The driver keeps what the server says of parameters.
        types = cursor.adbc_prepare("SELECT title FROM gba.health.facilities WHERE beds > ? AND opened < ?").types
        assert types == [pyarrow.int64(), pyarrow.date32()], types


def names(connection, **filters):
    found = set()
    for catalog in connection.adbc_get_objects(**filters).read_all().to_pylist():
        for schema in catalog["catalog_db_schemas"] or []:
            for table in schema["db_schema_tables"] or []:
                assert table["table_type"] == "TABLE"
                found.add((catalog["catalog_name"], schema["db_schema_name"], table["table_name"]))
    return found


def check_catalog():
    with connect() as connection:
        every = names(connection)
        assert {("gba", "health", "visits"), ("hongkong", "health", "visits")} <= every, every
        of_gba = names(connection, catalog_filter="gba")
        assert of_gba == {name for name in every if name[0] == "gba"}
        for pattern, fits in [
            ("visits", True), ("vis%", True), ("v_sits", True), ("%", True),
            ("v\\_sits", False), ("vis\\%", False), ("VISITS", False), ("", False),
        ]:
            found = ("gba", "health", "visits") in names(connection, table_name_filter=pattern)
            assert found == fits, pattern
        assert connection.adbc_get_table_types() == ["TABLE"]
        info = connection.adbc_get_info()
        assert info["vendor_name"] == "Wanqu", info
        catalogs = connection.adbc_get_objects(depth="catalogs").read_all().to_pylist()
        assert [one["catalog_name"] for one in catalogs] == sorted({name[0] for name in every})


def check_columns():
    with connect() as connection:
        schema = connection.adbc_get_table_schema("visits", catalog_filter="gba", db_schema_filter="health")
        patient, cost = schema.field("patient"), schema.field("cost")
        assert patient.metadata[b"class"] == b"identifier" and cost.metadata[b"class"] == b"measure"
        assert cost.type == pyarrow.decimal128(12, 2) and cost.metadata[b"ARROW:FLIGHT:SQL:SCALE"] == b"2"
        assert patient.metadata[b"ARROW:FLIGHT:SQL:TABLE_NAME"] == b"visits"
        objects = connection.adbc_get_objects(catalog_filter="gba", table_name_filter="visits").read_all().to_pylist()
        schemas = {one["db_schema_name"]: one["db_schema_tables"] for one in objects[0]["catalog_db_schemas"]}
        (visits,) = schemas["health"]
        columns = visits["table_columns"]
        assert [column["column_name"] for column in columns] == schema.names


def check_refusals():
    with connect() as connection, connection.cursor() as cursor:
        for sql, words in [
            ("SELECT * FROM gba.health.visits LIMIT 200", ["rule:", "remedy:", "count(*)", "GROUP BY"]),
            ("SELECT nothing FROM gba.health.visits", ["nothing", "remedy:"]),
            ("SELECT FROM WHERE", ["remedy:"]),
            ("DELETE FROM gba.health.visits", ["not a query", "SELECT"]),
            ("SET wanqu.other = 1; SELECT 1", ["no such setting", "wanqu.project"]),
        ]:
            refused(ProgrammingError, words, lambda: cursor.execute(sql))
        again = cursor.execute("SELECT facility FROM gba.health.facilities ORDER BY facility LIMIT 2")
        assert len(again.fetchall()) == 2, "a public table can be looked at"
        rows = pyarrow.table({"a": [1]})
        refused(NotSupportedError, ["is not offered"], lambda: cursor.adbc_ingest("t", rows))


def check_options():
    for how, words in [
        ({"project": None}, ["names no project", "wanqu-project", "SET wanqu.project"]),
        ({"purpose": None}, ["names no purpose", "wanqu-purpose"]),
        ({"project": "no-such-project"}, ["does not take part"]),
        ({HEADER + "wanqu-partial": "perhaps"}, ["header wanqu-partial", "true or false"]),
    ]:
        refused(ProgrammingError, words, lambda: asked(VISITS, **how))
    settings = "SET wanqu.project = 'capacity'; SET wanqu.purpose = 'health-planning'; "
    assert asked(settings + VISITS, project=None, purpose=None) == asked(VISITS)
    marked = asked(VISITS, **{HEADER + "wanqu-mark-incomplete": "true"})
    assert marked.schema.names[-1] == "may_lack_a_part"
    session = "adbc.flight.sql.session.option."
    with connect() as connection:
        options = lambda: connection.adbc_connection.set_options(**{session + "project": "capacity"})
        refused(NotSupportedError, ["keeps no cookies", "with_cookie_middleware", "wanqu-project"], options)
    cookies = {"adbc.flight.sql.rpc.with_cookie_middleware": "true"}
    with connect(project=None, purpose=None, **cookies) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_options(**{session + "project": "capacity", session + "purpose": "health-planning"})
        cursor.execute(VISITS)
        assert cursor.fetch_arrow_table() == asked(VISITS)
        assert connection.adbc_connection.get_option(session + "project") == "capacity"
        unknown = lambda: connection.adbc_connection.set_options(**{session + "timeout": "1"})
        refused(ProgrammingError, ["no such option of a session", "mark_incomplete"], unknown)


def check_partitions_and_statements_that_are_polled():
    with connect() as connection, connection.cursor() as cursor:
        whole = asked(VISITS)
        partitions, schema = cursor.adbc_execute_partitions(VISITS)
        assert len(partitions) == 1 and schema.names == whole.schema.names
        for _ in range(2):
            cursor.adbc_read_partition(partitions[0])
            assert cursor.fetch_arrow_table() == whole
        cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "true"})
        partitions, _ = cursor.adbc_execute_partitions(VISITS)
        assert len(partitions) == 1
        cursor.adbc_read_partition(partitions[0])
        assert cursor.fetch_arrow_table() == whole


def check_who_asks():
    bearer = DatabaseOptions.AUTHORIZATION_HEADER.value
    wrong = (ProgrammingError, OperationalError)
    for how, words in [
        ({bearer: "Bearer x.y.z"}, ["token"]),
        ({bearer: None}, ["no token", "Bearer"]),
        ({bearer: None, "username": "wei", "password": "secret"}, ["no user's name and password", "Bearer TOKEN"]),
    ]:
        refused(wrong, words, lambda: asked("SELECT 1 AS one", **how))


failed = []
for name, check in [(name, check) for name, check in globals().items() if name.startswith("check_")]:
    try:
        check()
        print("passed", name, flush=True)
    except Exception:
        failed.append(name)
        traceback.print_exc()
sys.exit(", ".join(failed) or None)
