//! Rows that swap their keys, or pass through one, in a transaction.

use super::{decoder, envelope, record};
use crate::change::{Op, TableId, Value};
use crate::envelope::{Decoded, KeyMoves};

/// The records of one partition for `key`, in order: what is applied of them.
fn applied(records: &[(&str, &str, &str, Option<&str>)]) -> Vec<Op> {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::default());
    let mut applied = Vec::new();
    for (op, before, after, old_key) in records {
        let mut input = record(r#"{"id":2}"#, envelope(op, before, after));
        input.value = input.value.filter(|_| !op.is_empty());
        input.old_key = old_key.map(str::as_bytes);
        match decoder.decode(TableId(0), &mut moves, input) {
            Ok(Decoded::Change(change)) => applied.push(change.op),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    applied
}

const A: &str = r#"{"id":2,"name":"a"}"#;
const A2: &str = r#"{"id":2,"name":"a2"}"#;
const B: &str = r#"{"id":2,"name":"b"}"#;
const MOVED: Option<&str> = Some(r#"{"id":1}"#);

#[test]
fn a_swap_of_keys_leaves_the_row_that_moved_in() {
    // Row b leaves key 2 after row a has taken it.
    let swap = [
        ("c", "null", A, MOVED),
        ("d", B, "null", None),
        ("", "", "", None),
    ];
    assert_eq!(applied(&swap), [Op::Create, Op::Leave]);
}

#[test]
fn a_row_that_moves_in_and_out_again_is_deleted() {
    let chain = [
        ("c", "null", A, MOVED),
        ("u", A, A2, None),
        ("d", A2, "null", None),
        ("", "", "", None),
    ];
    assert_eq!(applied(&chain), [Op::Create, Op::Update, Op::Delete]);
}

#[test]
fn a_row_that_stays_after_a_swap_can_be_deleted_later() {
    let swap_then_delete = [
        ("c", "null", A, MOVED),
        ("u", B, B, None),
        ("d", B, "null", None),
        ("", "", "", None),
        ("d", A, "null", None),
        ("", "", "", None),
    ];
    let ops = [Op::Create, Op::Leave, Op::Leave, Op::Delete];
    assert_eq!(applied(&swap_then_delete), ops);
}

#[test]
fn a_row_inserted_where_another_one_still_is_survives_its_leaving() {
    let taken = [
        ("c", "null", A, None),
        ("d", B, "null", None),
        ("", "", "", None),
        // The connector was restarted and says it again.
        ("d", B, "null", None),
        ("", "", "", None),
    ];
    let ops = [Op::Create, Op::Leave, Op::Leave];
    assert_eq!(applied(&taken), ops);
}

#[test]
fn an_old_row_that_is_made_up_is_not_taken_for_another_one() {
    // From before the table's full identity: nothing but the key is real.
    let made_up = r#"{"id":2,"name":""}"#;
    let passing = [
        ("c", "null", A, None),
        ("d", made_up, "null", None),
        ("", "", "", None),
    ];
    assert_eq!(applied(&passing), [Op::Create, Op::Delete]);
    // A row can be empty as well, once old rows are known to be sent.
    let real = [&[("u", B, B, None)], &passing[..]].concat();
    assert_eq!(applied(&real), [Op::Update, Op::Create, Op::Leave]);
}

#[test]
fn a_row_that_passed_through_a_key_before_old_rows_were_sent_is_gone_from_it() {
    let made_up = r#"{"id":2,"name":""}"#;
    let passing = [("c", "null", A, MOVED), ("d", made_up, "null", None)];
    assert_eq!(applied(&passing), [Op::Create, Op::Delete]);
    // The same records tell of an empty row that another one took the key of, once a delete had values.
    let real = [&[("d", B, "null", None), ("", "", "", None)], &passing[..]].concat();
    assert_eq!(applied(&real), [Op::Delete, Op::Create, Op::Leave]);
}

#[test]
fn a_row_that_leaves_its_key_still_tells_its_old_values() {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::default());
    let mut decode = |op: &str, before: &str, after: &str, old_key: Option<&'static str>| {
        let mut input = record(r#"{"id":2}"#, envelope(op, before, after));
        input.old_key = old_key.map(str::as_bytes);
        decoder.decode(TableId(0), &mut moves, input).unwrap()
    };
    decode("c", "null", A, MOVED);
    let Decoded::Change(change) = decode("d", B, "null", None) else {
        panic!("the old values of b are not told");
    };
    assert_eq!((change.op, change.after.is_none()), (Op::Leave, true));
    let before = change.before.expect("what the caches need");
    assert_eq!(before.get("name"), Some(Value::Json(r#""b""#)));
}

#[test]
fn a_row_that_is_inserted_and_deleted_again_is_gone() {
    let changed = r#"{"id":2,"name":"a","added":null}"#;
    for before in [A, changed] {
        let passing = [("c", "null", A, None), ("d", before, "null", None)];
        assert_eq!(applied(&passing), [Op::Create, Op::Delete], "{before}");
    }
}

#[test]
fn one_who_goes_on_in_the_middle_of_a_transaction_has_to_look_from_its_first_moved_key_on() {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::default());
    let mut decode = |offset: i64, tx_id: u32, old_key: Option<&str>, moves: &mut KeyMoves| {
        let own = format!(r#""txId":{tx_id}"#);
        let value = envelope("c", "null", A).replace(r#""txId":556"#, &own);
        let mut input = record(r#"{"id":2}"#, &value);
        input.offset = offset;
        input.old_key = old_key.map(str::as_bytes);
        decoder.decode(TableId(0), moves, input).unwrap();
    };
    decode(10, 1, None, &mut moves);
    assert_eq!(moves.since(11), None, "nothing moved");
    decode(11, 2, None, &mut moves);
    decode(12, 2, MOVED, &mut moves);
    decode(13, 2, MOVED, &mut moves);
    assert_eq!(moves.since(14), Some(12), "under way");
    assert_eq!(moves.since(12), None, "not come there yet");
    decode(14, 3, None, &mut moves);
    assert_eq!(moves.since(13), Some(12), "cut through");
    assert_eq!(moves.since(14), None, "behind its end");
    assert_eq!(moves.since(15), None, "forgotten");
}

#[test]
fn an_update_whose_predecessors_compaction_removed_is_applied() {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::of_log(true));
    let mut op = |offset, op, before, after| {
        let mut input = record(r#"{"id":2}"#, envelope(op, before, after));
        input.offset = offset;
        match decoder.decode(TableId(0), &mut moves, input) {
            Ok(Decoded::Change(change)) => change.op,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(op(10, "c", "null", A), Op::Create);
    // At 11 from a to a2, all in one transaction.
    assert_eq!(op(12, "u", A2, B), Op::Update);
    assert_eq!(op(13, "d", B, "null"), Op::Delete);
}

#[test]
fn an_update_whose_predecessor_cannot_be_decoded_is_applied() {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::default());
    let mut op = |op, before, after| {
        let input = record(r#"{"id":2}"#, envelope(op, before, after));
        decoder
            .decode(TableId(0), &mut moves, input)
            .map(|it| match it {
                Decoded::Change(change) => change.op,
                other => panic!("{other:?}"),
            })
    };
    assert_eq!(op("c", "null", A).unwrap(), Op::Create);
    assert!(op("u", A, r#"{"id":2,"name":}"#).is_err());
    assert_eq!(op("u", A2, B).unwrap(), Op::Update);
}
