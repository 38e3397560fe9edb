//! Tables, topics, Kafka settings.

use super::*;

#[test]
fn tables_have_a_key_and_a_topic_of_their_own() {
    errors(&[
        (USERS, "«users»: {}", "message.key.columns"),
        (USERS, "users: {key: «[]»}", "at least one column"),
        (USERS, "users: {key: [id, «id»]}", "there twice"),
        (
            USERS,
            "users: {key: [id], topic: «a topic»}",
            "cannot be a topic",
        ),
        (
            PRODUCTS,
            "products: {key: [id], replica_identity: full, topic: t}\n  «shared»: {key: [id], topic: t}",
            "share the topic t",
        ),
        (
            PRODUCTS,
            "products: {key: [id], replica_identity: full}\n  «same»: {key: [id], table: products, topic: t}",
            "are the same table",
        ),
        (
            "  prefix: shop\n",
            "  topic: «\"{tabel}-{table}\"»\n",
            "did you mean `table`?",
        ),
        (
            LETTERS,
            "dead_letter: {topic: «shop.public.users»}",
            "is the topic of a table",
        ),
    ]);
}

#[test]
fn a_record_that_cannot_be_applied_has_somewhere_to_go() {
    let found = mistakes(&shop_with(LETTERS, ""));
    assert!(
        found[0].message.contains("nowhere to go"),
        "{}",
        Mistakes(found)
    );
    assert_eq!(
        valid(&shop_with(LETTERS, "on_poison: stop")).on_poison,
        OnPoison::Stop
    );
}

#[test]
fn kafka_settings_that_no_consumer_can_be_made_with_are_refused() {
    let part = "  group: shop\n";
    errors(&[
        (
            part,
            "  group: shop\n  «properties»: {max.poll.interval.ms: 40000}\n",
            "librdkafka refuses these settings: `max.poll.interval.ms`must be >= `session.timeout.ms`",
        ),
        (
            part,
            "  group: shop\n  «properties»: {partition.assignment.strategy: foo}\n",
            "librdkafka refuses these settings: ",
        ),
        (
            part,
            "  group: shop\n  «properties»: {reconnect.backoff.ms: 2000}\n",
            "`reconnect.backoff.max.ms`",
        ),
    ]);
}

#[test]
fn a_longer_wait_for_a_broker_needs_both_of_its_bounds() {
    let properties = "properties: {reconnect.backoff.ms: 2000, reconnect.backoff.max.ms: 2000}";
    valid(&shop_with(
        "  group: shop\n",
        &format!("  group: shop\n  {properties}\n"),
    ));
}

#[test]
fn a_drain_longer_than_time_itself_is_refused_like_any_other() {
    let drain = format!("{LETTERS}\ndrain_timeout: {}s", u64::MAX);
    let found = Mistakes(mistakes(&shop_with(LETTERS, &drain))).to_string();
    assert!(found.contains("below session.timeout.ms (45s)"), "{found}");
}

#[test]
fn a_drain_too_long_for_the_consumer_protocol_is_told_what_can_be_done() {
    errors(&[(
        "pipeline: shop\nsource:\n",
        "pipeline: shop\ndrain_timeout: «40s»\nsource:\n  protocol: consumer\n",
        "only with `protocol: classic` can this limit be raised",
    )]);
}

#[test]
fn kafka_settings_that_break_a_guarantee_are_refused() {
    let part = "  group: shop\n";
    errors(&[
        (
            part,
            "  group: shop\n  properties: {«enable.auto.commit»: true}\n",
            "not by a timer",
        ),
        (
            part,
            "  group: shop\n  properties: {«auto.offset.reset»: earliest}\n",
            "skipped silently",
        ),
        (
            part,
            "  group: shop\n  properties: {«fetch.wait.max»: 50}\n",
            "No such configuration property",
        ),
        (
            part,
            "  group: shop\n  properties: {max.poll.interval.ms: «\"30000\"»}\n",
            "must stay below max.poll.interval.ms (30s)",
        ),
        (
            part,
            "  group: shop\n  protocol: consumer\n  properties: {«session.timeout.ms»: 60000}\n",
            "the broker decides",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\ndrain_timeout: «40s»",
            "below session.timeout.ms (45s)",
        ),
        (
            part,
            "  group: shop\n  security: {protocol: ssl, «username»: me}\n",
            "has no meaning with `protocol: ssl`",
        ),
        (
            part,
            "  group: shop\n  security: {protocol: «plain»}\n",
            "expected one of ssl",
        ),
        (
            part,
            "  group: shop\n  «security»: {protocol: sasl_ssl, mechanism: plain, username: me}\n",
            "`source.security.password` is missing",
        ),
    ]);
    warnings(&[(
        part,
        "  group: shop\n  security: {protocol: sasl_plaintext, mechanism: «plain», username: me, password: {env: P}}\n",
        "in clear text",
    )]);
}
