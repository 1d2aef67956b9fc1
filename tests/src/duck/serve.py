"""Answers SQL by DuckDB: one JSON object a line on standard input, one a line on standard output.

A value is written with its kind, so that nothing is rounded or guessed: ["x", "1250", 2] is the exact number 12.50.
"""

import datetime
import decimal
import json
import math
import sys

import duckdb

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def cell(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return ["b", value]
    if isinstance(value, int):
        return ["x", str(value), 0]
    if isinstance(value, float):
        if math.isfinite(value):
            return ["f", repr(value)]
        return ["f", "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"]
    if isinstance(value, decimal.Decimal):
        sign, digits, exponent = value.as_tuple()
        number = int("".join(map(str, digits)) or "0") * (-1 if sign else 1)
        return ["x", str(number * 10 ** max(exponent, 0)), max(-exponent, 0)]
    if isinstance(value, str):
        return ["t", value]
    if isinstance(value, datetime.datetime):
        return ["u", (value.replace(tzinfo=None) - EPOCH) // MICROSECOND]
    if isinstance(value, datetime.date):
        return ["d", value.toordinal() - EPOCH.toordinal()]
    if isinstance(value, datetime.timedelta):
        return ["t", str(value)]
    if isinstance(value, (list, tuple)):
        return ["l", [cell(item) for item in value]]
    return ["t", str(value)]


def answer(connection, sql):
    try:
        result = connection.execute(sql)
        if result.description is None:
            return {"names": [], "rows": []}
        names = [column[0] for column in result.description]
        return {"names": names, "rows": [[cell(v) for v in row] for row in result.fetchall()]}
    except duckdb.Error as error:
        return {"error": type(error).__name__ + ": " + str(error)}


def main():
    # UTF-8 whatever the locale is.
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    connection = duckdb.connect()
    for line in sys.stdin:
        print(json.dumps(answer(connection, json.loads(line)["sql"])), flush=True)


main()
