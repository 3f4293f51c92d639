//! What the posts of an export refer to, wherever it stands: authors, files, and which post an identity belongs to.

use std::{
    collections::{BTreeMap, HashMap},
    io::BufRead,
};

use url::Url;

use super::{enter_channel, meta, plain};
use crate::import::{
    record::ImageRecord,
    xml::{Element, Elements, XmlError},
};

/// Most authors, files and posts that are indexed.
const MAX_ENTRIES: usize = 200_000;
/// Most bytes of captions and addresses that are indexed; files beyond have neither caption nor place in a gallery.
const MAX_BYTES: usize = 64 << 20;

/// The files of an export by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    by_number: HashMap<String, ImageRecord>,
    /// The numbers of the files that were uploaded with a post, in the order of the export.
    by_post: HashMap<String, Vec<String>>,
    bytes: usize,
}

impl Files {
    pub(super) fn add(&mut self, number: &str, post: Option<&str>, file: ImageRecord) {
        let texts = [&file.url, &file.caption, &file.alt];
        self.bytes += texts.into_iter().flatten().map(String::len).sum::<usize>();
        if self.by_number.len() >= MAX_ENTRIES || self.bytes > MAX_BYTES {
            return;
        }
        if let Some(post) = post {
            self.by_post.entry(post.to_owned()).or_default().push(number.to_owned());
        }
        self.by_number.insert(number.to_owned(), file);
    }

    pub(super) fn by_number(&self, number: &str) -> Option<&ImageRecord> {
        self.by_number.get(number)
    }

    /// The pictures that were uploaded with a post.
    pub(super) fn of_post(&self, post: Option<&str>) -> impl Iterator<Item = &ImageRecord> {
        let numbers = post.and_then(|post| self.by_post.get(post)).into_iter().flatten();
        numbers.filter_map(|number| self.by_number.get(number)).filter(|file| is_picture(file))
    }
}

fn is_picture(file: &ImageRecord) -> bool {
    const ENDINGS: [&str; 7] = ["jpg", "jpeg", "png", "gif", "webp", "avif", "svg"];
    let address = file.url.as_deref().unwrap_or_default();
    let ending = address.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// What the posts of an export refer to. An export that breaks off gives the index of its first part.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Host and path of the site, `news.example.com/blog`.
    site: Option<String>,
    /// Display names by login.
    names: BTreeMap<String, String>,
    pub(super) files: Files,
    /// The first guid that has a number.
    guids: HashMap<String, String>,
    /// The key of the first post that has a guid.
    owners: HashMap<String, String>,
}

impl Index {
    /// Reads an export, in UTF-8, to its end or to the place where it breaks off.
    pub fn read(input: impl BufRead) -> Self {
        let mut index = Self::default();
        let mut elements = Elements::new(input);
        // The posts are read from the same bytes, and name the place where they break off.
        let _ = index.fill(&mut elements);
        index
    }

    fn fill<R: BufRead>(&mut self, elements: &mut Elements<R>) -> Result<(), XmlError> {
        enter_channel(elements)?;
        let mut link = None;
        let mut posts = Vec::new();
        while let Some(given) = elements.next()? {
            let element = &given.element;
            match element.name.as_str() {
                "wp:base_blog_url" => self.site = site(&element.text()).or(self.site.take()),
                "link" => link = site(&element.text()),
                "wp:author" => {
                    let login = element.text_of("wp:author_login");
                    self.name(login, element.text_of("wp:author_display_name"));
                }
                "item" => match element.text_of("wp:post_type").as_deref() {
                    Some("attachment") => self.file(element),
                    Some("guest-author") => {
                        let login = meta(element, "cap-user_login");
                        self.name(login, meta(element, "cap-display_name"));
                    }
                    None | Some("post" | "page") if posts.len() < MAX_ENTRIES => {
                        posts.push((element.text_of("wp:post_id"), element.text_of("guid")));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        self.site = self.site.take().or(link);
        for (number, guid) in posts {
            if let (Some(number), Some(guid)) = (&number, &guid) {
                self.guids.entry(number.clone()).or_insert_with(|| guid.clone());
            }
            if let (Some(guid), Some(key)) = (&guid, self.key(number.as_deref(), guid.as_deref())) {
                self.owners.entry(guid.clone()).or_insert(key);
            }
        }
        Ok(())
    }

    fn name(&mut self, login: Option<String>, name: Option<String>) {
        if let (Some(login), Some(name)) = (login, name)
            && self.names.len() < MAX_ENTRIES
        {
            self.names.entry(login).or_insert_with(|| plain(&name));
        }
    }

    fn file(&mut self, item: &Element) {
        let (Some(number), Some(url)) =
            (item.text_of("wp:post_id"), item.text_of("wp:attachment_url"))
        else {
            return;
        };
        let caption = item.text_of("excerpt:encoded").or_else(|| item.text_of("content:encoded"));
        let caption = caption.map(|caption| plain(&caption)).filter(|caption| !caption.is_empty());
        let alt = meta(item, "_wp_attachment_image_alt").map(|alt| plain(&alt));
        let file = ImageRecord { url: Some(url), caption, alt, ..ImageRecord::default() };
        let post = item.text_of("wp:post_parent").filter(|post| post != "0");
        self.files.add(&number, post.as_deref(), file);
    }

    /// The display name of a login.
    pub(super) fn display_name(&self, login: &str) -> Option<&str> {
        self.names.get(login).map(String::as_str)
    }

    /// The key of a post: site and number, since numbers are unique within a site only. The second post of one number, and a
    /// post without a number, has its guid for a key.
    pub(super) fn key(&self, number: Option<&str>, guid: Option<&str>) -> Option<String> {
        let Some(number) = number else { return guid.map(str::to_owned) };
        if let (Some(first), Some(guid)) = (self.guids.get(number), guid)
            && first != guid
        {
            return Some(guid.to_owned());
        }
        let own = || guid.and_then(host);
        let site = self.site.clone().or_else(own);
        Some(site.map_or(number.to_owned(), |site| format!("{site}/{number}")))
    }

    /// Whether a guid belongs to a post of another key that stands before.
    pub(super) fn is_of_another(&self, guid: &str, key: &str) -> bool {
        self.owners.get(guid).is_some_and(|owner| owner != key)
    }
}

/// `https://www.example.com/blog/` as `www.example.com/blog`: the address of a site may change from `http` to `https`.
fn site(address: &str) -> Option<String> {
    let url = Url::parse(address.trim()).ok().filter(Url::has_host)?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}{port}{}", url.host_str()?, url.path().trim_end_matches('/')))
}

fn host(guid: &str) -> Option<String> {
    Url::parse(guid).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_carries_the_site() {
        let index = |channel: &str| {
            Index::read(format!("<rss><channel>{channel}</channel></rss>").as_bytes())
        };
        let guid = Some("https://c.example.org/?p=7");
        for (channel, guid, expected) in [
            ("<link>https://a.example.org/blog/</link>", guid, "a.example.org/blog/7"),
            ("<link>http://a.example.org</link>", guid, "a.example.org/7"),
            ("", guid, "c.example.org/7"),
            ("", None, "7"),
        ] {
            assert_eq!(index(channel).key(Some("7"), guid).as_deref(), Some(expected), "{channel}");
        }
        assert_eq!(index("").key(None, guid).as_deref(), guid);
        assert_eq!(index("").key(None, None), None);
    }
}
