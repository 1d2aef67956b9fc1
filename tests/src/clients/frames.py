"""Checks with pandas, polars and SQLAlchemy, which read a connection of ADBC."""

import os
import sys
import traceback
import warnings

import pandas
import polars
import sqlalchemy
from adbc_driver_flightsql import DatabaseOptions, dbapi

HEADER = "adbc.flight.sql.rpc.call_header."
VISITS = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction"
BEDS = "SELECT facility, opened, beds FROM gba.health.facilities WHERE beds > ? ORDER BY facility"


def connect():
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: os.environ["WANQU_CA"],
        DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + os.environ["WANQU_TOKEN"],
        HEADER + "wanqu-project": "capacity",
        HEADER + "wanqu-purpose": "health-planning",
    }
    return dbapi.connect(os.environ["WANQU_GATEWAY"], db_kwargs=options, autocommit=True)


def rows():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(VISITS)
        return cursor.fetchall()


def check_pandas():
    with connect() as connection:
        frame = pandas.read_sql(VISITS, connection)
        assert [tuple(row) for row in frame.itertuples(index=False)] == rows(), frame
        try:
            pandas.read_sql(BEDS, connection, params=[10])
        except NotImplementedError:
            return
    raise AssertionError("pandas binds values: docs/clients.md says that it does not")


def check_polars():
    with connect() as connection:
        frame = polars.read_database(VISITS, connection)
        assert frame.rows() == rows(), frame
        assert frame.schema["n"] == polars.Int64
        frame = polars.read_database(BEDS, connection, execute_options={"parameters": [10]})
        assert frame.schema["opened"] == polars.Date and frame["beds"].min() > 10


def engine():
    url = sqlalchemy.URL.create(
        "adbc+flightsql",
        username="researcher",
        password=os.environ["WANQU_TOKEN"],
        host="localhost",
        port=int(os.environ["WANQU_PORT"]),
        query={
            DatabaseOptions.TLS_ROOT_CERTS.value: os.environ["WANQU_CA"],
            "header.wanqu-project": "capacity",
            "header.wanqu-purpose": "health-planning",
        },
    )
    return sqlalchemy.create_engine(url)


def check_sqlalchemy():
    with warnings.catch_warnings():
        # It asks for transactions, of which there are none.
        warnings.filterwarnings("ignore", "Cannot disable autocommit")
        with engine().connect() as connection:
            assert [tuple(row) for row in connection.execute(sqlalchemy.text(VISITS))] == rows()
            bound = sqlalchemy.text("SELECT facility FROM gba.health.facilities WHERE facility = :name AND beds > :beds")
            for name, found in [("HK-01", 1), ("'; DROP TABLE x; --", 0)]:
                assert len(connection.execute(bound, {"name": name, "beds": 0}).fetchall()) == found
            inspector = sqlalchemy.inspect(connection)
            assert "health" in inspector.get_schema_names()
            columns = [column["name"] for column in inspector.get_columns("visits", schema="health")]
            assert "specialty" in columns, columns
            try:
                connection.execute(sqlalchemy.text("SELECT * FROM gba.health.visits LIMIT 200"))
            except sqlalchemy.exc.ProgrammingError as refusal:
                assert "remedy:" in str(refusal) and "rule:" in str(refusal)
            else:
                raise AssertionError("not refused")
            frame = pandas.read_sql(sqlalchemy.text(VISITS), connection)
            assert list(frame["n"]) == [row[1] for row in rows()]


failed = []
for name, check in [(name, check) for name, check in globals().items() if name.startswith("check_")]:
    try:
        check()
        print("passed", name, flush=True)
    except Exception:
        failed.append(name)
        traceback.print_exc()
sys.exit(", ".join(failed) or None)
