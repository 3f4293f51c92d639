//! OPML lists of feeds, as text for `feeds.toml`.

use std::collections::HashSet;

use url::Url;

use crate::{
    category::Slug,
    import::{
        convert::Fault,
        xml::{Element, Elements, XmlError},
    },
    text::web_url,
};

/// Most feeds of a list.
const MAX_FEEDS: usize = 10_000;

/// A feed to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// For `[source.NAME]`, each once in a list.
    pub name: String,
    /// What the list calls it.
    pub title: String,
    /// Its address.
    pub url: Url,
    /// The folders of the list that it is in, outermost first.
    pub folders: Vec<String>,
}

/// The feeds of a list (OPML 1.0 and 2.0), in its order, each address once.
pub fn read(text: &str) -> Result<Vec<Followed>, Fault> {
    let fault = |problem: String| Fault { field: String::new(), problem };
    let broken = |error: XmlError| fault(error.to_string());
    let mut elements = Elements::new(text.as_bytes());
    let root = elements.enter().map_err(broken)?.unwrap_or_default();
    if root.name != "opml" {
        return Err(fault(format!("`{}` instead of `opml`", root.name)));
    }
    let mut list = List::default();
    while let Some(given) = elements.next().map_err(broken)? {
        if given.element.name == "body" {
            list.outlines(&given.element, &mut Vec::new());
        }
    }
    Ok(list.feeds)
}

#[derive(Default)]
struct List {
    feeds: Vec<Followed>,
    names: HashSet<String>,
    addresses: HashSet<Url>,
}

impl List {
    fn outlines(&mut self, parent: &Element, folders: &mut Vec<String>) {
        for outline in parent.all("outline") {
            let given =
                |name: &str| outline.attribute(name).map(str::trim).filter(|text| !text.is_empty());
            let title = given("text").or_else(|| given("title")).unwrap_or_default();
            if let Some(url) = given("xmlUrl").and_then(|raw| web_url(raw, None)) {
                self.add(title, url, folders);
            } else {
                folders.push(title.to_owned());
                self.outlines(outline, folders);
                folders.pop();
            }
        }
    }

    fn add(&mut self, title: &str, url: Url, folders: &[String]) {
        if self.feeds.len() >= MAX_FEEDS || !self.addresses.insert(url.clone()) {
            return;
        }
        let ascii: String =
            title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let host = url.host_str().unwrap_or("feed").replace('.', "-");
        let usable =
            |label: &str| Slug::from_label(label).ok().filter(|slug| slug.as_str().is_ascii());
        let slug = usable(ascii.trim_matches('-')).or_else(|| usable(&host));
        let stem = slug.map_or_else(|| "feed".to_owned(), |slug| slug.as_str().to_owned());
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let mut names = std::iter::once(stem.clone()).chain(numbered);
        let name = names.find(|name| !self.names.contains(name)).unwrap_or(stem);
        self.names.insert(name.clone());
        let folders = folders.iter().filter(|folder| !folder.is_empty()).cloned().collect();
        self.feeds.push(Followed { name, title: title.to_owned(), url, folders });
    }
}

/// The sections of `feeds.toml` that follow these.
pub fn sections(feeds: &[Followed]) -> String {
    let mut text = String::new();
    for Followed { name, title, url, .. } in feeds {
        let title: String = title.chars().filter(|c| !c.is_control()).collect();
        text.extend([
            "[source.",
            name,
            "] # ",
            &title,
            "\nkind = \"feed\"\nurl = \"",
            url.as_str(),
            "\"\n\n",
        ]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_sections_with_names_of_their_own() {
        let list = r#"<opml version="2.0"><head><title>x</title></head><body><outline text="News">
            <outline text="City Daily" type="rss" xmlUrl="https://daily.example.org/feed"/>
            <outline text="城东日报" xmlUrl="https://www.example.com/rss.xml"/></outline>
            <outline title="City Daily" xmlUrl="https://other.example.org/"/>
            <outline text="again" xmlUrl="https://daily.example.org/feed"/></body></opml>"#;
        let feeds = read(list).unwrap();
        let names: Vec<_> = feeds.iter().map(|feed| feed.name.as_str()).collect();
        assert_eq!(names, ["city-daily", "www-example-com", "city-daily-2"]);
        assert_eq!(feeds[1].folders, ["News"]);
        let text = sections(&feeds);
        assert!(text.parse::<toml::Table>().is_ok(), "{text}");
        assert!(read("<rss></rss>").unwrap_err().problem.contains("`rss` instead"));
    }
}
