//! The configuration as its users meet it: files in, a tree or every mistake out.

mod example;
