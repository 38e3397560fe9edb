//! Seeded rows of the shop: the same seed, key and revision make the same row, in any order.
//!
//! A row is written as Debezium writes it and as the document that must become of it, so that the
//! stores' contents can be compared with what was produced and not with what the program says.

use std::fmt::Write as _;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WORDS: [&str; 24] = [
    "quiet", "folding", "lamp", "for", "desks", "with", "a", "warm", "light", "and", "two", "arms",
    "of", "brushed", "steel", "charges", "phones", "by", "the", "window", "solid", "oak", "base",
    "compact",
];
const BRANDS: [&str; 6] = ["Nordlys", "Acme", "Óbidos", "Kōyō", "Hallgrim", "Brandt"];
const TAGS: [&str; 6] = ["new", "sale", "eco", "gift", "office", "outdoor"];
const COLOURS: [&str; 5] = ["red", "black", "white", "oak", "steel"];

/// Categories that products are in.
pub(crate) const CATEGORIES: u32 = 500;
/// Products that order items name.
pub(crate) const SOLD: u32 = 20_000;
/// Items of one order.
const ITEMS: u32 = 3;

/// Which table's rows are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// The shop's products.
    Products,
    /// What orders contain: each row is a relationship.
    Items,
}

/// What makes rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// Of this table.
    pub(crate) table: Table,
    /// Which of several tables of the same columns: 0 has the bare name.
    pub(crate) number: u16,
    /// Other rows for another seed.
    pub(crate) seed: u64,
    /// Bytes of a row's free text; they bring an event to its size.
    pub(crate) text: usize,
}

impl Rows {
    /// The table's name in Postgres.
    pub(crate) fn name(&self) -> String {
        let name = match self.table {
            Table::Products => "products",
            Table::Items => "order_items",
        };
        match self.number {
            0 => name.to_owned(),
            number => format!("{name}_{number}"),
        }
    }

    /// The record key of row `key`, as Debezium writes it.
    pub(crate) fn key(&self, key: u32, out: &mut String) {
        match self.table {
            Table::Products => write!(out, "{{\"id\":{key}}}"),
            Table::Items => {
                let (order, product) = ends(key);
                write!(out, "{{\"order_id\":{order},\"product_id\":{product}}}")
            }
        }
        .expect("a string takes everything");
    }

    /// Row `key` after so many updates, as Debezium writes it.
    pub(crate) fn row(&self, key: u32, revision: u16, out: &mut String) {
        match self.table {
            Table::Products => self.product(key, revision).row(out),
            Table::Items => self.item(key, revision).row(out),
        }
    }

    /// The product `key` after so many updates.
    pub(crate) fn product(&self, key: u32, revision: u16) -> Product {
        let mut random = self.random(key, revision);
        Product {
            id: key,
            revision,
            category_id: random.random_range(1..=CATEGORIES),
            brand: one(&mut random, &BRANDS),
            tag: one(&mut random, &TAGS),
            colour: one(&mut random, &COLOURS),
            price_cents: random.random_range(100..100_000),
            weight: random.random_range(10..9999),
            stock: random.random_range(0..500),
            is_featured: random.random_ratio(1, 20),
            description: text(&mut random, self.text),
        }
    }

    /// The order item `key`.
    pub(crate) fn item(&self, key: u32, revision: u16) -> Item {
        let mut random = self.random(key, revision);
        let (order_id, product_id) = ends(key);
        Item {
            order_id,
            product_id,
            quantity: random.random_range(1..20),
            note: text(&mut random, self.text),
        }
    }

    fn random(&self, key: u32, revision: u16) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(u64::from(key) << 16 | u64::from(revision));
        random
    }
}

/// Order and product of item `key`: no two items have the same.
fn ends(key: u32) -> (u32, u32) {
    (key / ITEMS + 1, key.wrapping_mul(7) % SOLD + 1)
}

/// A row of `products`.
#[derive(Debug)]
pub(crate) struct Product {
    id: u32,
    revision: u16,
    category_id: u32,
    brand: &'static str,
    tag: &'static str,
    colour: &'static str,
    price_cents: u32,
    weight: u32,
    stock: u32,
    is_featured: bool,
    description: String,
}

impl Product {
    /// What the slug is made of; it stays the same for life.
    pub(crate) fn slug(id: u32) -> String {
        format!("quiet-lamp-{id}")
    }

    /// The name, which changes with each update.
    pub(crate) fn name(&self) -> String {
        format!("Quiet Lamp {} mark {}", self.id, self.revision)
    }

    /// The price as Debezium writes a `numeric`.
    pub(crate) fn price(&self) -> String {
        format!("{}.{:02}", self.price_cents / 100, self.price_cents % 100)
    }

    fn row(&self, out: &mut String) {
        let Self {
            id,
            category_id,
            brand,
            tag,
            colour,
            stock,
            is_featured,
            description,
            ..
        } = self;
        let (slug, name, price) = (Self::slug(*id), self.name(), self.price());
        let (weight, moment) = (self.weight, self.moment());
        write!(
            out,
            r#"{{"id":{id},"category_id":{category_id},"slug":"{slug}","name":"{name}","description":"{description}","brand":"{brand}","tags":["{tag}","lamp"],"price":"{price}","stock":{stock},"status":"active","is_featured":{is_featured},"attributes":"{{\"colour\": \"{colour}\", \"weight\": {weight}}}","updated_at":"{moment}"}}"#
        )
        .expect("a string takes everything");
    }

    /// The document that the example's `products-index` makes of the row.
    pub(crate) fn document(&self, out: &mut String) {
        let Self {
            id,
            category_id,
            brand,
            tag,
            colour,
            stock,
            is_featured,
            description,
            ..
        } = self;
        let (slug, name, price) = (Self::slug(*id), self.name(), self.price());
        let (weight, moment) = (self.weight, self.moment());
        write!(
            out,
            r#"{{"id":{id},"name":"{name}","slug":"{slug}","description":"{description}","brand":"{brand}","tags":["{tag}","lamp"],"price":"{price}","stock":{stock},"is_featured":{is_featured},"category_id":{category_id},"attributes":{{"colour": "{colour}", "weight": {weight}}},"weight":{weight},"updated_at":"{moment}"}}"#
        )
        .expect("a string takes everything");
    }

    fn moment(&self) -> String {
        let (second, minute) = (self.id % 60, self.revision % 60);
        format!("2026-03-01T10:{minute:02}:{second:02}.123456Z")
    }
}

/// A row of `order_items`.
#[derive(Debug)]
pub(crate) struct Item {
    /// The order it belongs to.
    pub(crate) order_id: u32,
    /// The product that it names.
    pub(crate) product_id: u32,
    /// How many.
    pub(crate) quantity: u32,
    note: String,
}

impl Item {
    fn row(&self, out: &mut String) {
        let Self {
            order_id,
            product_id,
            quantity,
            note,
        } = self;
        write!(
            out,
            r#"{{"order_id":{order_id},"product_id":{product_id},"quantity":{quantity},"price":"9.90","note":"{note}"}}"#
        )
        .expect("a string takes everything");
    }
}

fn one(random: &mut ChaCha8Rng, of: &[&'static str]) -> &'static str {
    of.choose(random).copied().unwrap_or_default()
}

/// Words that make about so many bytes.
fn text(random: &mut ChaCha8Rng, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 8);
    while text.len() < bytes {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(WORDS.choose(random).copied().unwrap_or_default());
    }
    text
}
