"""Quix Streams from a Debezium topic to Elasticsearch, as one would set it up for throughput.

It takes the new row out of each event, keeps the fields that the example's index has, and upserts by
the row's key. Its sink knows neither deletes nor versions, so rows that were deleted stay.
"""

import json
import os
import sys

from elasticsearch import Elasticsearch
from quixstreams import Application
from quixstreams.sinks.community.elasticsearch import ElasticsearchSink

FIELDS = (
    "id", "name", "slug", "description", "brand", "tags", "price", "stock",
    "is_featured", "category_id", "updated_at",
)
# Bulk requests as large as the others'. A checkpoint is what the sink writes at once.
BULK = 5000
CHECKPOINT = 15000


class Sink(ElasticsearchSink):
    """Does not ask for the server's version: the local stack's server has no answer to that."""

    def setup(self):
        self._client = Elasticsearch(**self._client_kwargs)
        self._create_index()


def is_row(event):
    return event is not None and event["after"] is not None


def document(event):
    row = event["after"]
    attributes = json.loads(row["attributes"])
    document = {name: row[name] for name in FIELDS}
    document["attributes"] = attributes
    document["weight"] = attributes["weight"]
    return document


def main():
    app = Application(
        broker_address=os.environ["KAFKA_BROKERS"],
        consumer_group=os.environ["GROUP"],
        auto_offset_reset="earliest",
        commit_every=CHECKPOINT,
        commit_interval=5.0,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    sink = Sink(
        url=os.environ["ES_URL"],
        index=os.environ["INDEX"],
        batch_size=BULK,
        document_id_setter=lambda item: str(item.value["id"]),
    )
    begun = []

    def first(_):
        if not begun:
            begun.append(True)
            print("first", flush=True)

    events = app.dataframe(app.topic(os.environ["TOPIC"], value_deserializer="json"))
    events.update(first)
    events.filter(is_row).apply(document).sink(sink)
    app.run()


if __name__ == "__main__":
    sys.exit(main())
