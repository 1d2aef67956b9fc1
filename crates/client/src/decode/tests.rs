use std::fs;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListArray, NullArray, RecordBatch, RecordBatchOptions, StringArray,
    StringViewArray, StructArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int64Type, IntervalUnit, Schema, TimeUnit};
use arrow::ipc::writer::StreamWriter;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use futures::{TryStreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wanqu_fixtures::hostile::{LIES, Parts};

use super::*;

/// Growth of this process's memory that other tests may cause meanwhile: threads with their pools.
const MOST_GROWTH: u64 = 512 << 20;

/// Runs a decoder. Returns by how many bytes the memory that was ever asked for has grown, and the decoder's result. A
/// request that no machine can meet ends the process, and the test with it.
fn growth<T>(decode: impl FnOnce() -> T) -> (u64, T) {
    // Elsewhere than on Linux, only the end of the process tells.
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmPeak:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
    };
    let before = peak();
    let decoded = decode();
    (peak() - before, decoded)
}

/// A batch of every kind of layout.
fn all_kinds() -> RecordBatch {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let inner: ArrayRef = Arc::new(StringArray::from(vec![Some("in"), None, Some("side")]));
    let fields = vec![Field::new("s", DataType::Utf8, true)];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("null", Arc::new(NullArray::new(3))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("n", Arc::new(Int64Array::from(vec![Some(1), Some(2), None]))),
        ("text", Arc::new(StringArray::from(vec![Some("a"), None, Some("longer than twelve bytes")]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("b"), Some("longer than twelve bytes"), None]))),
        ("list", Arc::new(list)),
        ("struct", Arc::new(StructArray::new(fields.into(), vec![inner], None))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// A batch of the two columns that the lies are about.
fn two_columns() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("district", Arc::new(StringViewArray::from(vec!["Nossa Senhora de Fátima", "花地瑪堂區"]))),
        ("visits", Arc::new(Int64Array::from(vec![120, 95]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// The messages of a batch: its columns, and its rows.
async fn sent(batch: &RecordBatch) -> [FlightData; 2] {
    let encoder = FlightDataEncoderBuilder::new().with_schema(batch.schema()).build(stream::iter([Ok(batch.clone())]));
    encoder.try_collect::<Vec<_>>().await.unwrap().try_into().unwrap()
}

#[tokio::test]
async fn rows_of_every_layout_are_read_as_they_were_sent() {
    let nothing = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        vec![],
        &RecordBatchOptions::new().with_row_count(Some(3)),
    );
    for batch in [all_kinds(), two_columns(), nothing.unwrap()] {
        let [head, body] = sent(&batch).await;
        let schema = Arc::new(columns(&head).unwrap());
        assert_eq!(schema, batch.schema());
        assert_eq!(rows(&body, &schema).unwrap(), batch);
        // As one body lies among others, on any address.
        for before in 0..9 {
            let shifted = [vec![0; before], body.data_body.to_vec()].concat();
            let shifted = FlightData { data_body: shifted.into(), ..body.clone() };
            let shifted = FlightData { data_body: shifted.data_body.slice(before..), ..shifted };
            assert_eq!(rows(&shifted, &schema).unwrap(), batch);
        }
        assert!(rows(&head, &schema).is_err() && columns(&body).is_err());
    }
}

#[tokio::test]
async fn no_field_of_a_message_is_believed() {
    let batch = two_columns();
    let [_, honest] = sent(&batch).await;
    let parts = Parts::of(&honest);
    assert_eq!(rows(&parts.message(), &batch.schema()).unwrap(), batch, "taking apart and putting together is honest");
    for (name, lie) in LIES {
        let mut parts = parts.clone();
        lie(&mut parts);
        let (grown, read) = growth(|| rows(&parts.message(), &batch.schema()));
        let read = read.expect_err(name);
        assert_ne!(read, Unreadable("the decoder gave up on a message"), "{name}: found before it is decoded");
        assert!(grown < MOST_GROWTH, "{name}: {grown} bytes");
    }
}

#[tokio::test]
async fn columns_that_share_their_parts_are_no_way_to_grow() {
    let batch = all_kinds();
    let [head, _] = sent(&batch).await;
    for length in [0, 1, 7, 8, 64, head.data_header.len() / 2] {
        let cut = FlightData { data_header: head.data_header.slice(..length), ..head.clone() };
        assert!(columns(&cut).is_err(), "{length}");
    }
    let large = FlightData { data_header: vec![0; head::MAX_HEAD + 1].into(), ..FlightData::default() };
    assert_eq!(columns(&large), Err(Unreadable("the head of a message is too large")));
    for wrong in [
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        DataType::List(Arc::new(Field::new("d", DataType::FixedSizeBinary(-1), true))),
        DataType::Decimal128(77, 2),
        DataType::Decimal256(76, 77),
    ] {
        let schema = Schema::new(vec![Field::new("c", wrong.clone(), true)]);
        assert!(types::known(&schema).is_err(), "{wrong}");
    }
}

/// Arrow's decoder panics at a width, unit or number of children that no type has.
#[tokio::test]
async fn no_description_of_a_column_makes_the_decoder_panic() {
    let kinds = [
        DataType::Int32,
        DataType::Float64,
        DataType::Date64,
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Microsecond, Some("Asia/Macau".into())),
        DataType::Duration(TimeUnit::Millisecond),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Decimal128(12, 2),
        DataType::FixedSizeBinary(3),
        DataType::new_fixed_size_list(DataType::Int8, 2, true),
        DataType::new_large_list(DataType::Utf8, true),
    ];
    let fields = kinds.iter().map(|kind| Field::new("c", kind.clone(), true)).collect::<Vec<_>>();
    let nulls = kinds.iter().map(|kind| new_null_array(kind, 1)).collect();
    let nulls = RecordBatch::try_new(Arc::new(Schema::new(fields)), nulls).unwrap();
    for batch in [nulls, all_kinds()] {
        let [head, _] = sent(&batch).await;
        assert_eq!(columns(&head).map(|read| read.fields().len()), Ok(batch.num_columns()));
        for at in 0..head.data_header.len() {
            for value in [0, 1, 2, 3, 5, 7, 9, 33, 65, 127, 128, 255] {
                let mut changed = head.data_header.to_vec();
                changed[at] = value;
                let read = columns(&FlightData { data_header: changed.into(), ..head.clone() });
                assert_ne!(read, Err(Unreadable("the decoder gave up on a message")), "byte {at} is {value}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_is_read_whole_or_not_at_all() {
    let batch = all_kinds();
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    assert_eq!(ipc_stream(&bytes).unwrap(), (batch.schema(), vec![batch.clone(), batch]));
    let mut cut_short = 0;
    for length in 0..bytes.len() {
        // Between two messages, a stream may end without its mark.
        cut_short += usize::from(ipc_stream(&bytes[..length]).is_err());
    }
    assert!(cut_short > bytes.len() - 16, "{cut_short} of {}", bytes.len());
    for head in [i32::MAX, i32::MIN, -1] {
        let mut lie = bytes.clone();
        lie[4..8].copy_from_slice(&head.to_le_bytes());
        let (grown, read) = growth(|| ipc_stream(&lie));
        assert!(read.is_err() && grown < MOST_GROWTH, "{head}: {grown}");
    }
}

/// Changes some bytes of a message.
fn damage(bytes: &mut [u8], random: &mut StdRng) {
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..4) {
        0 => bytes[at] = random.random(),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
        2 => bytes[at] ^= 1 << random.random_range(0..8),
        _ => {
            let end = bytes.len().min(at + 8);
            let large = (1_u64 << random.random_range(0..64)).to_le_bytes();
            bytes[at..end].copy_from_slice(&large[..end - at]);
        }
    }
}

/// Honest messages with bytes changed at random are read or refused, and cost no more than their size.
#[tokio::test]
async fn damaged_messages_cost_no_more_than_their_bytes() {
    let mut random = StdRng::seed_from_u64(20_261_128);
    for batch in [all_kinds(), two_columns()] {
        let (schema, [head, body]) = (batch.schema(), sent(&batch).await);
        let (mut refused, mut read) = (0, 0);
        let (grown, ()) = growth(|| {
            for _ in 0..10_000 {
                let (mut first, mut second) = (head.data_header.to_vec(), body.data_header.to_vec());
                let mut values = body.data_body.to_vec();
                for _ in 0..random.random_range(1..4) {
                    let bytes = match random.random_range(0..4) {
                        0 => &mut first,
                        1 => &mut values,
                        _ => &mut second,
                    };
                    damage(bytes, &mut random);
                }
                let first = FlightData { data_header: first.into(), ..FlightData::default() };
                let second =
                    FlightData { data_header: second.into(), data_body: values.into(), ..FlightData::default() };
                let _ = columns(&first);
                if rows(&second, &schema).is_ok() { read += 1 } else { refused += 1 }
            }
        });
        assert!(grown < MOST_GROWTH, "{grown} bytes");
        assert!(refused > 1000 && read > 1000, "{refused} were refused, {read} were read");
    }
}
