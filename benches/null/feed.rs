//! Events from memory, in the poll thread's place.

use distributary::change::TableId;
use distributary::source::{
    Assigned, NextOffset, Partition, Record, Records, SourceCommand, SourceEvent, SourceHandle,
};
use tokio::sync::mpsc::{self, Sender};

use crate::support::event;
use crate::way::EVENTS;

const PARTITION: Partition = Partition {
    table: TableId(0),
    number: 0,
};
const GENERATION: u32 = 1;
const RECORDS: u64 = 1_000;

/// The pipeline's end of a thread that feeds it.
pub(crate) fn start() -> SourceHandle {
    let (events, to_pipeline) = mpsc::channel(4);
    let (commands, from_pipeline) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("feed".to_owned())
        .spawn(move || {
            feed(&events);
            while !matches!(from_pipeline.recv(), Ok(SourceCommand::Stop(_)) | Err(_)) {}
            events.blocking_send(SourceEvent::Stopped).ok();
        })
        .expect("a process can start one thread");
    SourceHandle {
        events: to_pipeline,
        commands,
    }
}

fn feed(events: &Sender<SourceEvent>) {
    let assigned = Assigned {
        partition: PARTITION,
        generation: GENERATION,
        start: NextOffset::given(0),
        note: None,
        is_compacted: false,
        as_of: None,
        partition_count: 1,
        high: EVENTS.cast_signed(),
    };
    let tell = |event| events.blocking_send(event).expect("the pipeline listens");
    tell(SourceEvent::Assigned(vec![assigned]));
    for first in (0..EVENTS).step_by(RECORDS as usize) {
        let mut records = Records::default();
        (first..first + RECORDS).for_each(|id| push(&mut records, id));
        tell(SourceEvent::Records(records));
    }
}

fn push(records: &mut Records, id: u64) {
    records.push(&Record {
        partition: PARTITION,
        generation: GENERATION,
        offset: id.cast_signed(),
        timestamp_ms: 1,
        key: Some(event::key(id).as_bytes()),
        value: Some(event::plain(id).as_bytes()),
        old_key: None,
    });
}
