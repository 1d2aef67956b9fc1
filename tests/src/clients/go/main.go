// Checks with the ADBC driver for Flight SQL in Go.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const visits = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction"

const session = "adbc.flight.sql.session.option."

var ctx = context.Background()

// must stops the check with an error.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func done(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(holds bool, what ...any) {
	if !holds {
		panic(fmt.Sprint(what...))
	}
}

// refused checks that an error has all these words.
func refused(err error, words ...string) {
	expect(err != nil, "not refused; expected ", words)
	for _, word := range words {
		expect(strings.Contains(err.Error(), word), word, " is not in: ", err)
	}
}

// connect opens a connection; more options change those of the project.
func connect(more map[string]string) adbc.Connection {
	options := map[string]string{
		adbc.OptionKeyURI:                                     os.Getenv("WANQU_GATEWAY"),
		flightsql.OptionSSLRootCerts:                          os.Getenv("WANQU_CA"),
		flightsql.OptionAuthorizationHeader:                   "Bearer " + os.Getenv("WANQU_TOKEN"),
		flightsql.OptionRPCCallHeaderPrefix + "wanqu-project": "capacity",
		flightsql.OptionRPCCallHeaderPrefix + "wanqu-purpose": "health-planning",
	}
	for name, value := range more {
		if value == "" {
			delete(options, name)
		} else {
			options[name] = value
		}
	}
	database := must(flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(options))
	return must(database.Open(ctx))
}

func statement(connection adbc.Connection, sql string) adbc.Statement {
	statement := must(connection.NewStatement())
	done(statement.SetSqlQuery(sql))
	return statement
}

// text reads all rows as text.
func text(reader array.RecordReader) string {
	defer reader.Release()
	var all strings.Builder
	for reader.Next() {
		for _, column := range reader.RecordBatch().Columns() {
			fmt.Fprintf(&all, "%v ", column)
		}
	}
	done(reader.Err())
	return all.String()
}

func asked(connection adbc.Connection, sql string) (string, error) {
	statement := statement(connection, sql)
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	if err != nil {
		return "", err
	}
	return text(reader), nil
}

func checkAnswersAndSchema() {
	connection := connect(nil)
	defer connection.Close()
	rows := must(asked(connection, visits))
	expect(strings.Contains(rows, "HK"), rows)
	plain := statement(connection, visits)
	defer plain.Close()
	schema := must(plain.(adbc.StatementExecuteSchema).ExecuteSchema(ctx))
	expect(schema.NumFields() == 2 && schema.Field(1).Type.ID() == arrow.INT64, schema)
	table := must(connection.GetTableSchema(ctx, ptr("gba"), ptr("health"), "visits"))
	expect(table.NumFields() > 8, table)
	objects := must(connection.GetObjects(ctx, adbc.ObjectDepthTables, ptr("gba"), nil, ptr("vis%"), nil, nil))
	expect(strings.Contains(text(objects), "visits"), "objects")
}

func ptr(text string) *string { return &text }

func checkParameters() {
	connection := connect(nil)
	defer connection.Close()
	prepared := statement(connection, "SELECT facility FROM gba.health.facilities WHERE facility = ? AND beds > ?")
	defer prepared.Close()
	done(prepared.Prepare(ctx))
	types := must(prepared.GetParameterSchema())
	expect(types.Field(0).Type.ID() == arrow.STRING && types.Field(1).Type.ID() == arrow.INT64, types)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, types)
	defer builder.Release()
	for _, facility := range []string{"HK-01", "'; DROP TABLE x; --"} {
		builder.Field(0).(*array.StringBuilder).Append(facility)
		builder.Field(1).(*array.Int64Builder).Append(0)
		done(prepared.Bind(ctx, builder.NewRecordBatch()))
		reader, _, err := prepared.ExecuteQuery(ctx)
		done(err)
		found := text(reader)
		expect(strings.Contains(found, facility) != strings.Contains(facility, "DROP"), found)
	}
}

func checkPartitions() {
	connection := connect(nil)
	defer connection.Close()
	plain := statement(connection, visits)
	defer plain.Close()
	_, partitions, rows, err := plain.ExecutePartitions(ctx)
	done(err)
	expect(partitions.NumPartitions == 1 && rows == 3, partitions, rows)
	first := text(must(connection.ReadPartition(ctx, partitions.PartitionIDs[0])))
	again := text(must(connection.ReadPartition(ctx, partitions.PartitionIDs[0])))
	expect(first == again && strings.Contains(first, "HK"), first, again)
}

// checkIncremental runs a statement while it polls.
func checkIncremental() {
	connection := connect(nil)
	defer connection.Close()
	whole := must(asked(connection, visits))
	for _, prepare := range []bool{false, true} {
		polled := statement(connection, visits)
		done(polled.(adbc.GetSetOptions).SetOption(adbc.OptionKeyIncremental, adbc.OptionValueEnabled))
		if prepare {
			done(polled.Prepare(ctx))
		}
		_, partitions, _, err := polled.ExecutePartitions(ctx)
		done(err)
		expect(partitions.NumPartitions == 1, partitions)
		progress := must(polled.(adbc.GetSetOptions).GetOptionDouble(adbc.OptionKeyProgress))
		expect(progress == 1, progress)
		rows := text(must(connection.ReadPartition(ctx, partitions.PartitionIDs[0])))
		expect(rows == whole, rows, " is not ", whole)
		_, last, _, err := polled.ExecutePartitions(ctx)
		done(err)
		expect(last.NumPartitions == 0, "the end")
		done(polled.Close())
	}
	refusal := statement(connection, "SELECT * FROM gba.health.visits LIMIT 200")
	done(refusal.(adbc.GetSetOptions).SetOption(adbc.OptionKeyIncremental, adbc.OptionValueEnabled))
	_, _, _, err := refusal.ExecutePartitions(ctx)
	refused(err, "rule:", "remedy:", "count(*)")
}

func checkSessions() {
	headers := map[string]string{
		flightsql.OptionRPCCallHeaderPrefix + "wanqu-project": "",
		flightsql.OptionRPCCallHeaderPrefix + "wanqu-purpose": "",
	}
	without := connect(headers)
	defer without.Close()
	refused(without.(adbc.GetSetOptions).SetOption(session+"project", "capacity"), "keeps no cookies", "wanqu-project")

	headers[flightsql.OptionCookieMiddleware] = adbc.OptionValueEnabled
	connection := connect(headers)
	defer connection.Close()
	_, err := asked(connection, visits)
	refused(err, "names no project")
	options := connection.(adbc.GetSetOptions)
	done(options.SetOption(session+"project", "capacity"))
	done(options.SetOption(session+"wanqu.purpose", "health-planning"))
	done(options.SetOption("adbc.flight.sql.session.optionbool.mark_incomplete", "true"))
	rows := must(asked(connection, visits))
	expect(strings.Contains(rows, "HK"), rows)
	expect(must(options.GetOption(session+"project")) == "capacity", "project")
	marked := statement(connection, visits)
	defer marked.Close()
	schema := must(marked.(adbc.StatementExecuteSchema).ExecuteSchema(ctx))
	expect(schema.Field(schema.NumFields()-1).Name == "may_lack_a_part", schema)
	done(options.SetOption("adbc.flight.sql.session.optionerase.project", ""))
	_, err = asked(connection, visits)
	refused(err, "names no project")
	refused(options.SetOption(session+"timeout", "1"), "no such option", "mark_incomplete")
	refused(options.SetOption(session+"project", "a b"), "ResearchProject")
	refused(options.SetOption(adbc.OptionKeyCurrentCatalog, "gba"), "gba.health.visits")
}

func checkRefusals() {
	connection := connect(nil)
	defer connection.Close()
	_, err := asked(connection, "SELECT * FROM gba.health.visits LIMIT 200")
	refused(err, "rule:", "remedy:", "count(*)", "GROUP BY")
	preview := must(asked(connection, "SELECT * FROM gba.health.facilities LIMIT 5"))
	expect(preview != "", "a public table can be looked at")
}

// passed runs a check, and says whether it passed.
func passed(name string, check func()) (ok bool) {
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Println("failed", name, failure)
		}
	}()
	check()
	fmt.Println("passed", name)
	return true
}

func main() {
	whole := true
	for _, one := range []struct {
		name  string
		check func()
	}{
		{"answers and schema", checkAnswersAndSchema},
		{"parameters", checkParameters},
		{"partitions", checkPartitions},
		{"incremental", checkIncremental},
		{"sessions", checkSessions},
		{"refusals", checkRefusals},
	} {
		whole = passed(one.name, one.check) && whole
	}
	if !whole {
		os.Exit(1)
	}
}
