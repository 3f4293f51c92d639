//! The headline of a page: what it says to machines and in `title`, without the name of the site, and the element that shows it.

use std::collections::HashMap;

use scraper::{ElementRef, Html};
use url::Url;

use super::{blocks::words, head::meta, outline::is_unseen, select};

/// Most headings that are looked at.
const MAX_HEADINGS: usize = 300;
/// Most elements within one that shows a headline.
const MAX_WITHIN: usize = 6;
/// Longest headline, in characters.
const MAX_TITLE: usize = 300;
/// What parts a headline from the name of a site.
const MARKS: [&str; 20] = [
    " - ", " | ", " – ", " — ", " :: ", " » ", " « ", " · ", " • ", " / ", " ‹ ", " › ", "_", "|",
    "——", "--", "-", "丨", "｜", "–",
];
/// How names of sites and their sections end.
const SITES: [&str; 28] = [
    "网",
    "網",
    "报",
    "報",
    "新闻",
    "新聞",
    "频道",
    "頻道",
    "资讯",
    "日报",
    "晚报",
    "在线",
    "门户",
    "社区",
    "论坛",
    "博客",
    "客户端",
    "百科",
    "百度",
    "时报",
    "周刊",
    "中心",
    "公司",
    "集团",
    "官网",
    "平台",
    "号",
    "台",
];

/// The headline of a page.
#[derive(Debug)]
pub(super) struct Headline<'t> {
    pub title: Option<String>,
    /// The element that shows it.
    pub element: Option<ElementRef<'t>>,
}

/// The headline of a page that says `said` to machines. `host` is that of its address.
pub(super) fn of<'t>(tree: &'t Html, said: Option<&str>, address: Option<&Url>) -> Headline<'t> {
    let headings = select(tree, "h1, h2, h3").into_iter().take(MAX_HEADINGS);
    let headings: Vec<(ElementRef<'t>, String)> = headings
        .map(|element| (element, words(element)))
        .filter(|(_, words)| is_title(words))
        .collect();
    let own = ["head > title", "title"].iter().find_map(|selector| {
        select(tree, selector)
            .first()
            .map(|title| crate::text::Text::new(&title.text().collect::<String>()).to_string())
    });
    let own = own.unwrap_or_default();
    let site = Site::of(tree, address);
    let is_site = |text: &str| site.is_name(text);
    let tops: Vec<_> = headings
        .iter()
        .filter(|(element, words)| element.value().name() == "h1" && !is_site(words))
        .collect();
    let raw = said.map(str::to_owned).filter(|said| !is_site(said));
    let raw = raw.or_else(|| {
        // A heading that the title of the page has as well, or the longest; else that title.
        let named = tops.iter().find(|(_, words)| own.contains(words.as_str()));
        // A list of what a site wants to be found by is no headline.
        let spoken = tops.iter().filter(|(_, words)| words.matches(['_', '|']).count() < 3);
        let longest = || spoken.max_by_key(|(_, words)| words.chars().count());
        named.or_else(longest).map(|(_, words)| words.clone())
    });
    let raw = raw.unwrap_or_else(|| own.clone());
    if raw.trim().is_empty() {
        return Headline { title: None, element: None };
    }
    // What stands in the page as a headline has no name of a site.
    let heading =
        |text: &str| headings.iter().find(|(_, words)| words == text).map(|(element, _)| *element);
    if let Some(element) = heading(&raw) {
        return Headline { title: Some(raw), element: Some(element) };
    }
    // An attribute ends where its own quotation marks begin: `content="He said "no""`.
    if let Some((element, whole)) =
        tops.iter().find(|(_, words)| words.starts_with(&raw) && own.contains(words.as_str()))
    {
        return Headline { title: Some(whole.clone()), element: Some(*element) };
    }
    let beginnings = beginnings(&raw);
    let shown = headings.iter().filter(|(_, words)| beginnings.contains(&words.as_str()));
    if let Some((element, words)) = shown.max_by_key(|(_, words)| words.chars().count()) {
        return Headline { title: Some(words.clone()), element: Some(*element) };
    }
    if let Some(element) = showing(tree, &beginnings, &raw) {
        return Headline { title: Some(words(element)), element: Some(element) };
    }
    let title = site.without(&raw);
    // A page that is called like its section shows its headline in a lesser heading.
    if said.is_none() && tops.is_empty() && title.chars().count() <= 8 {
        let lesser = select(tree, "h4, h5, h6").into_iter().take(MAX_HEADINGS);
        let lesser = lesser.map(|element| (element, words(element)));
        let mut lesser = lesser.filter(|(_, words)| is_title(words) && words.chars().count() >= 10);
        if let Some((element, words)) = lesser.next() {
            return Headline { title: Some(words), element: Some(element) };
        }
    }
    let alike =
        |words: &str| words.contains(&title) || title.contains(words) || own.contains(words);
    let element = headings.iter().find(|(_, words)| alike(words)).map(|(element, _)| *element);
    let element = element.or_else(|| tops.first().map(|(element, _)| *element));
    Headline { title: Some(title), element }
}

/// Whether a text can be a headline: no single words in Latin letters, but `晴` twice.
fn is_title(text: &str) -> bool {
    let length = text.chars().count();
    let is_wide = text.chars().any(|c| c >= '\u{2e80}');
    (if is_wide { 2 } else { 4 }..=MAX_TITLE).contains(&length)
}

/// The beginnings of a title before each mark that may part it from the name of a site.
fn beginnings(title: &str) -> Vec<&str> {
    let found = MARKS
        .iter()
        .flat_map(|mark| title.match_indices(mark).take(8).map(|(at, _)| title[..at].trim()));
    // Names of sites follow Chinese titles after a blank as well.
    let is_wide = title.chars().any(|c| c >= '\u{2e80}');
    let blanks =
        title.match_indices(' ').filter(|_| is_wide).take(8).map(|(at, _)| title[..at].trim());
    let blanks = blanks.filter(|text| text.chars().count() >= 8);
    found.filter(|text| is_title(text)).chain(blanks).collect()
}

/// The first element that shows a beginning of a title, or all of it, and nothing else.
fn showing<'t>(tree: &'t Html, beginnings: &[&str], whole: &str) -> Option<ElementRef<'t>> {
    let mut best: HashMap<usize, ElementRef<'t>> = HashMap::new();
    for element in tree.root_element().descendent_elements() {
        let name = element.value().name();
        if is_unseen(name) || matches!(name, "html" | "body" | "a" | "li" | "meta" | "link") {
            continue;
        }
        if element.descendent_elements().nth(MAX_WITHIN).is_some()
            || element.ancestors().take(4).filter_map(ElementRef::wrap).any(|around| {
                matches!(around.value().name(), "head" | "a" | "li" | "nav" | "footer")
                    || is_unseen(around.value().name())
            })
        {
            continue;
        }
        let length: usize = element.text().map(str::len).take(20).sum();
        if length == 0 || length > 4 * MAX_TITLE {
            continue;
        }
        let text = words(element);
        if text == whole || beginnings.contains(&text.as_str()) {
            best.entry(text.len()).or_insert(element);
        }
    }
    best.into_iter().max_by_key(|(length, _)| *length).map(|(_, element)| element)
}

/// What a site is called.
struct Site {
    names: Vec<String>,
}

impl Site {
    fn of(tree: &Html, address: Option<&Url>) -> Self {
        let said = ["og:site_name", "application-name", "twitter:site", "author:site"];
        let mut names: Vec<String> = said.iter().filter_map(|name| meta(tree, &[name])).collect();
        if let Some(host) = address.and_then(Url::host_str) {
            let host = host.strip_prefix("www.").unwrap_or(host);
            names.push(host.to_owned());
            names.extend(host.split('.').filter(|label| label.len() > 3).map(str::to_owned));
        }
        let names = names.iter().map(|name| simple(name)).filter(|name| !name.is_empty()).collect();
        Self { names }
    }

    /// Whether a text is the name of the site.
    fn is_name(&self, text: &str) -> bool {
        let text = simple(text);
        !text.is_empty() && self.names.contains(&text)
    }

    /// Whether a text at the end of a title looks like the name of a site or of its section.
    fn is_like_one(&self, text: &str) -> bool {
        let length = text.chars().count();
        let simple = simple(text);
        let is_known = self.names.iter().any(|name| {
            simple.contains(name.as_str()) || (simple.len() > 3 && name.contains(&simple))
        });
        let is_wide = text.chars().any(|c| c >= '\u{2e80}');
        is_known
            || (is_wide && length <= 12 && SITES.iter().any(|end| text.ends_with(end)))
            || (length <= 30
                && [".com", ".de", ".org", ".net", ".cn", ".ch", ".at"]
                    .iter()
                    .any(|end| simple.ends_with(end.trim_start_matches('.')) && text.contains(end)))
    }

    /// A title without the name of the site at its end or beginning.
    fn without(&self, title: &str) -> String {
        let mut rest = title.trim();
        while let Some((at, mark)) = MARKS
            .iter()
            .filter_map(|mark| rest.rfind(mark).map(|at| (at, *mark)))
            .max_by_key(|(at, mark)| (*at, mark.len()))
        {
            let (first, last) = (rest[..at].trim(), rest[at + mark.len()..].trim());
            if !is_title(first) || !(last.is_empty() || self.is_like_one(last)) {
                break;
            }
            rest = first;
        }
        // `标题__2026年第3号公报_城东网`.
        if let Some((first, _)) = rest.split_once("__").filter(|(first, _)| is_title(first)) {
            rest = first.trim();
        }
        // `标题_频道_城东网` has lost its end: a section is left.
        if rest.len() < title.trim().len()
            && let Some((first, last)) = rest.rsplit_once('_')
            && last.chars().count() <= 6
            && first.chars().count() >= 6
        {
            rest = first.trim();
        }
        let front = MARKS
            .iter()
            .filter_map(|mark| rest.split_once(mark))
            .find(|(first, last)| self.is_name(first) && is_title(last));
        front.map_or(rest, |(_, last)| last).trim().to_owned()
    }
}

/// Letters and digits alone, in lower case.
fn simple(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
