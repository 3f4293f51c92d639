//! What benches start from: the program's allocator, dice, articles.

#![allow(dead_code, reason = "each bench takes what it needs")]

use std::io::Cursor;

use chrono::{DateTime, Utc};
use courant::{
    article::{ArticleId, Origin, Story, Submission, When},
    category::Category,
    import::{HowToRead, Source, Sources},
    text::{Html, Text},
};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Xorshift: the same rolls each time.
pub(crate) struct Dice(pub(crate) u32);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % sides
    }
}

/// Records as an import reads them.
pub(crate) fn records_in(text: Vec<u8>) -> Sources {
    let source = Source::new("records", Cursor::new(text));
    Sources::new(vec![source], HowToRead::default())
}

/// An article that says this.
pub(crate) fn submission(nth: u32, published: DateTime<Utc>, story: Story) -> Submission {
    Submission {
        id: ArticleId::new(&nth.to_string()).unwrap(),
        guid: None,
        published: Some(When::exactly(published)),
        modified: None,
        embargo: None,
        expires: None,
        is_significant: Some(true),
        story,
        origin: Origin::default(),
    }
}

/// 1.5 KB of text in these categories.
pub(crate) fn story(nth: u32, categories: &[u32]) -> Story {
    let category = |nth: &u32| Category::from_label(&label(*nth)).unwrap();
    Story {
        url: format!("https://www.example.com/articles/{nth}.html").parse().ok(),
        title: Text::new(&format!("Article {nth}")),
        content: Html::from_text(&"All four floors are open to everyone. ".repeat(40)),
        categories: categories.iter().map(category).collect(),
        ..Story::default()
    }
}

/// What the nth category is called; its slug too.
pub(crate) fn label(nth: u32) -> String {
    format!("category-{nth}")
}
