//! Projections, templates and conditions.

use super::*;

#[test]
fn references_lead_somewhere() {
    errors(&[
        (
            "sink: search",
            "sink: «serach»",
            "there is no sink `serach`; did you mean `search`?",
        ),
        (
            "from: users",
            "from: «user»",
            "there is no table `user`; did you mean `users`?",
        ),
        (
            "sink: search",
            "sink: «cache»",
            "of type redis, and this projection needs one of type elasticsearch",
        ),
        (
            "name: user-node",
            "name: «product-cache»",
            "another projection is named",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products, settings: «none.json»}",
            "cannot be read",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products, settings: «shop.yaml»}",
            "are not JSON",
        ),
    ]);
}

#[test]
fn a_projection_makes_one_thing() {
    errors(&[
        (
            "    invalidate:",
            "    «node»: \"(:P {!id})\"\n    invalidate:",
            "exclude each other",
        ),
        (
            "  - name: product-cache\n",
            "  - «{name: p, sink: cache, from: users}»\n  - name: product-cache\n",
            "does not say what to make",
        ),
        (
            INVALIDATE,
            &format!("{INVALIDATE}\n    «when»: key.id > 5"),
            "unknown key `when`",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products}\n    fields: [id, «id»]",
            "there twice",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products}\n    fields: [«_id»]",
            "keeps `_id` for itself",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products}\n    fields: [«a.b»]",
            "needs a name of its own",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products}\n    fields: «[]»",
            "leave `fields` out",
        ),
    ]);
}

#[test]
fn a_cache_cannot_apply_a_truncate() {
    let truncated = |word: &str| PRODUCTS.replace("full}", &format!("full, on_truncate: {word}}}"));
    errors(&[
        (
            PRODUCTS,
            &truncated("«apply»"),
            "`product-cache` cannot apply a truncate of `products`",
        ),
        (PRODUCTS, &truncated("«apply»"), "write `stop`, or `ignore`"),
    ]);
    valid(&shop_with(PRODUCTS, &truncated("ignore")));
    valid(&shop_with(USERS, "users: {key: [id], on_truncate: apply}"));
}

#[test]
fn one_projection_for_each_alias() {
    let second = "{name: user-index, sink: search, from: users, index: {alias: «products»}}";
    errors(&[(
        "  - name: product-cache\n",
        &format!("  - {second}\n  - name: product-cache\n"),
        "`products-index` writes the alias `products` already",
    )]);
    let behind = second.replace("«products»", "«products-000001»");
    errors(&[(
        "  - name: product-cache\n",
        &format!("  - {behind}\n  - name: product-cache\n"),
        "is the index behind the alias of `products-index`",
    )]);
}

#[test]
fn an_alias_is_the_same_one_through_any_sink_of_one_address() {
    let with = |url: &str| {
        let second = "  - {name: again, sink: other, from: users, index: {alias: products}}\n";
        let other = format!("  other: {{type: elasticsearch, url: {url}}}\n");
        SHOP.replace("projections:\n", &format!("{other}projections:\n"))
            .replace(LETTERS, &format!("{second}{LETTERS}"))
    };
    for url in ["http://es:9200", "http://ES:9200/", "https://es:9200"] {
        let found = mistakes(&with(url));
        let [mistake] = &found[..] else {
            panic!("{url}:\n{}", Mistakes(found));
        };
        let expected = "`products-index` writes the alias `products` already";
        assert!(mistake.message.contains(expected), "{url}: {mistake}");
    }
    for url in ["http://es", "http://es:9201", "http://es:9200/second"] {
        valid(&with(url));
    }
}

#[test]
fn templates_compile_and_read_what_can_be_known() {
    errors(&[
        (
            INVALIDATE,
            r#"invalidate: ["p:{{ «key.slug» }}"]"#,
            "`slug` is no column of the key of `products`",
        ),
        (
            INVALIDATE,
            r#"invalidate: ["p:{{ «e»ihter.slug }}"]"#,
            "did you mean `either`?",
        ),
        (
            INVALIDATE,
            r#"invalidate: ["p:{{ key.id | «n»one_such }}"]"#,
            "none_such",
        ),
        (WHEN, "when: after.status «=» 'draft'", ""),
        (
            WHEN,
            "when: «before.status» != 'draft'",
            "write `after.status`",
        ),
        (WHEN, "when: «changed.status»", "write `after.status`"),
        (
            WHEN,
            "when: «after.status == 'live' and op != 'r'»",
            "`op` says what happened last",
        ),
    ]);
    // The keys of a cache may depend on what happens.
    let of_cache = r#"invalidate: [{key: "p:{{ key.id }}", when: op == 'd'}]"#;
    valid(&shop_with(INVALIDATE, of_cache));
}

#[test]
fn old_values_need_full_identity_and_the_statement_is_given() {
    let statement = "ALTER TABLE public.users REPLICA IDENTITY FULL;";
    let cache = |invalidate: &str| {
        format!(
            "  - {{name: user-cache, sink: cache, from: users, invalidate: [{invalidate}]}}\n  - name: product-cache\n"
        )
    };
    let part = "  - name: product-cache\n";
    for (invalidate, says) in [
        (r#""user:{{ «either.name» }}""#, statement),
        (r#""user:{{ «before.name» }}""#, statement),
        (r#"{key: "u", when: «changed.name»}"#, statement),
        (
            r#"{key: "u", when: «after.active»}"#,
            "a condition needs the whole row",
        ),
    ] {
        errors(&[(part, &cache(invalidate), says)]);
    }
    errors(&[(
        USER_NODE,
        &format!("{USER_NODE}, when: «after.active»"),
        statement,
    )]);
    valid(&shop_with(
        part,
        &cache(r#""user:{{ key.id }}", "u:{{ either.id }}", "n:{{ after.name }}""#),
    ));
}
