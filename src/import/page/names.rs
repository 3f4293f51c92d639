//! What the names of elements, classes and ids say of the parts of a page.

use scraper::node::Element;

/// How clearly an element says that it holds the text of the article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// `main`, `content`: the article and what is around it.
    Content,
    /// `article`, `post`: the article with its headline.
    Article,
    /// `article-body`, `entry-content`: the text of the article.
    Body,
}

/// How clearly an element says that it is there for the page and not for the article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Furniture {
    /// Words that are also used around articles: `meta`, `box`.
    Weak,
    /// Words that seldom mean anything else: `related`, `cookie-banner`.
    Strong,
    /// Comments, which can have more text than their article.
    Comments,
}

/// Most names of an element that are looked at.
const MAX_NAMES: usize = 40;
/// Longest of them, in bytes.
const MAX_NAME: usize = 200;

/// Names of the text of an article, letters only.
const BODIES: [&str; 64] = [
    "alltxt",
    "contentall",
    "qmainarticle",
    "articlebody",
    "articlebodytext",
    "articlecontent",
    "articlecontents",
    "articledetail",
    "articlemain",
    "articletext",
    "articletxt",
    "artibody",
    "artcontent",
    "artcon",
    "arttext",
    "bodytext",
    "bodycopy",
    "blogcontent",
    "blogentrycontent",
    "blogpost",
    "blogpostbody",
    "blogtext",
    "contentarticle",
    "contentbody",
    "contentdetail",
    "contenttext",
    "contenttxt",
    "detailcontent",
    "detailtext",
    "detailbody",
    "entrybody",
    "entrycontent",
    "entrytext",
    "fieldnamebody",
    "itemfulltext",
    "itembody",
    "jscontent",
    "maintext",
    "newsbody",
    "newscontent",
    "newsdetail",
    "newstext",
    "newstxt",
    "pagecontentarticle",
    "postbody",
    "postbodycontent",
    "postcontent",
    "postentry",
    "posttext",
    "richmediacontent",
    "richtext",
    "singlecontent",
    "storybody",
    "storycontent",
    "storybodytext",
    "storytext",
    "tdpostcontent",
    "textcontent",
    "textdetail",
    "theentry",
    "thecontent",
    "topicbody",
    "wppostcontent",
    "trseditor",
];

/// Parts of such names that are enough where no word of furniture is with them.
const WITHIN_BODIES: [&str; 14] = [
    "articlebody",
    "articlecontent",
    "articletext",
    "entrycontent",
    "postcontent",
    "postbody",
    "posttext",
    "singlecontent",
    "storybody",
    "storycontent",
    "storytext",
    "newscontent",
    "newstext",
    "blogcontent",
];

/// Names of an article with its headline.
const ARTICLES: [&str; 17] = [
    "article",
    "articlepage",
    "articlewrap",
    "articlecontainer",
    "articlewrapper",
    "beitrag",
    "artikel",
    "blogentry",
    "entry",
    "hentry",
    "news",
    "post",
    "postwrap",
    "single",
    "singlepost",
    "story",
    "singlearticle",
];

/// Names of what holds the article and what is around it.
const CONTENTS: [&str; 14] = [
    "content",
    "contents",
    "contentmain",
    "inhalt",
    "hauptinhalt",
    "main",
    "maincontent",
    "maincolumn",
    "mainbody",
    "pagecontent",
    "primary",
    "primarycontent",
    "sitecontent",
    "text",
];

/// Words of names of comments.
const COMMENTS: &[&str] = &[
    "comment",
    "commentlist",
    "comments",
    "commentaires",
    "trackbacks",
    "pingbacks",
    "comentarios",
];

/// Words of names that seldom mean anything but furniture.
const STRONG: &[&str] = &[
    "bshare",
    "bdsharebuttonbox",
    "jiathis",
    "addtoany",
    "advert",
    "advertisement",
    "advertising",
    "adsense",
    "anzeige",
    "breadcrumb",
    "breadcrumbs",
    "cmp",
    "consent",
    "cookie",
    "cookies",
    "copyright",
    "crumb",
    "crumbs",
    "disclaimer",
    "disqus",
    "downloadapp",
    "erweima",
    "ewm",
    "fontsize",
    "footer",
    "gdpr",
    "kommentar",
    "kommentare",
    "login",
    "menu",
    "modal",
    "nav",
    "navbar",
    "navi",
    "navigation",
    "newsletter",
    "openapp",
    "outbrain",
    "overlay",
    "pager",
    "pagination",
    "popup",
    "qrcode",
    "recommend",
    "recommendation",
    "recommendations",
    "recommended",
    "related",
    "relatedposts",
    "relation",
    "respond",
    "share",
    "sharedaddy",
    "sharing",
    "sidebar",
    "signup",
    "sitemap",
    "skip",
    "social",
    "socialmedia",
    "sponsor",
    "sponsored",
    "subscribe",
    "subscription",
    "taboola",
    "teaser",
    "teasers",
    "toolbar",
    "trackback",
    "werbung",
    "widget",
    "widgets",
    "xgxw",
    "noprint",
    "shariff",
    "statement",
    "readmore",
    "mostread",
    "paywall",
    "tagcloud",
    "ratings",
    "feedback",
    "suggested",
    "suggestions",
    "recirculation",
    "linklist",
    "adbox",
    "adslot",
    "adcontainer",
    "dfp",
    "onetrust",
    "usercentrics",
    "donate",
    "donation",
    "spenden",
    "abo",
    "authorbox",
    "aboutauthor",
    "reactions",
    "replies",
    "backtotop",
    "searchform",
    "interstitial",
    "promo",
    "banner",
];

/// Words of names that are also used around articles.
const WEAK: &[&str] = &[
    "ad",
    "adv",
    "ads",
    "aside",
    "author",
    "autor",
    "bio",
    "biography",
    "byline",
    "category",
    "categories",
    "date",
    "download",
    "foot",
    "follow",
    "head",
    "header",
    "hot",
    "info",
    "like",
    "links",
    "list",
    "meta",
    "metadata",
    "more",
    "next",
    "popular",
    "posted",
    "prev",
    "print",
    "qr",
    "rating",
    "report",
    "search",
    "site",
    "slider",
    "tag",
    "tags",
    "taxonomy",
    "timestamp",
    "tool",
    "tools",
    "topbar",
    "topics",
    "trending",
    "utility",
    "vote",
    "zan",
    "carousel",
    "credits",
    "keywords",
    "schlagworte",
    "stichworte",
    "profile",
    "relevant",
    "postinfo",
    "about",
    "mehr",
    "infobox",
];

/// Words with which a name says how something looks or what it has, and not what it is.
const LOOKS: &[&str] = &[
    "has",
    "no",
    "with",
    "without",
    "not",
    "enable",
    "enabled",
    "label",
    "margin",
    "padding",
    "align",
    "border",
    "show",
    "type",
    "uncustomized",
    "is",
    "fixed",
    "sticky",
    "allow",
    "elementor",
    "format",
    "status",
];

/// How clearly an element says that it holds the text of the article.
pub(super) fn standing(element: &Element) -> Option<Standing> {
    if element
        .attr("itemprop")
        .is_some_and(|name| name.split(' ').any(|name| name == "articleBody"))
    {
        return Some(Standing::Body);
    }
    let by_name = match element.name() {
        "article" => Some(Standing::Article),
        "main" => Some(Standing::Content),
        "div" | "section" | "td" | "span" => None,
        _ => return None,
    };
    let by_role = match element.attr("role") {
        Some("article") => Some(Standing::Article),
        Some("main") => Some(Standing::Content),
        _ => None,
    };
    let by_class = tokens(element)
        .filter_map(|token| {
            let name = letters(token);
            let name = name.as_str();
            let is_within = || {
                WITHIN_BODIES.iter().any(|part| name.contains(part))
                    && words(token).iter().all(|word| by_word(word).is_none())
            };
            if BODIES.contains(&name) || is_within() {
                Some(Standing::Body)
            } else if ARTICLES.contains(&name) {
                Some(Standing::Article)
            } else if CONTENTS.contains(&name) {
                Some(Standing::Content)
            } else {
                None
            }
        })
        .max();
    by_name.max(by_role).max(by_class)
}

/// How clearly an element says that it is there for the page.
pub(super) fn furniture(element: &Element) -> Option<Furniture> {
    match element.name() {
        "nav" | "footer" | "aside" | "form" | "menu" | "dialog" => return Some(Furniture::Strong),
        "header" => return Some(Furniture::Weak),
        "html" | "body" | "main" | "article" | "h1" => return None,
        _ => {}
    }
    let role = element.attr("role").unwrap_or_default();
    if matches!(
        role,
        "navigation" | "complementary" | "contentinfo" | "search" | "banner" | "dialog" | "menu"
    ) {
        return Some(Furniture::Strong);
    }
    let is_of_table = matches!(element.name(), "table" | "thead" | "tbody" | "tr" | "td" | "th");
    let found = tokens(element).filter_map(|token| {
        let words = words(token);
        // `field--label-hidden`, `has-sidebar`, `no-comments` say what is not there, or how something looks.
        let is_subject = ["category-", "tag-", "author-", "autor-", "tags-"];
        if words.iter().any(|word| LOOKS.contains(&word.as_str()))
            || is_subject.iter().any(|begin| token.starts_with(begin))
        {
            return None;
        }
        words.iter().filter_map(|word| by_word(word)).max()
    });
    found.filter(|found| !is_of_table || *found > Furniture::Weak).max()
}

fn by_word(word: &str) -> Option<Furniture> {
    if COMMENTS.contains(&word) {
        Some(Furniture::Comments)
    } else if STRONG.contains(&word) {
        Some(Furniture::Strong)
    } else if WEAK.contains(&word) {
        Some(Furniture::Weak)
    } else {
        None
    }
}

/// Whether an element is named for the first sentences of an article, which stand apart from the rest.
pub(super) fn is_lead(element: &Element) -> bool {
    const LEADS: &[&str] = &[
        "abstract",
        "abstand",
        "deck",
        "dek",
        "einleitung",
        "excerpt",
        "intro",
        "introduction",
        "lead",
        "leadtext",
        "lede",
        "standfirst",
        "subheadline",
        "subline",
        "subtitle",
        "summary",
        "teaser",
        "vorspann",
        "chapo",
        "bajada",
        "entradilla",
        "kicker",
        "description",
        "header",
        "ingress",
        "lid",
        "digest",
    ];
    tokens(element).flat_map(words).any(|word| LEADS.contains(&word.as_str()))
        || element.name() == "header"
}

/// Whether a browser does not show an element.
pub(super) fn is_hidden(element: &Element) -> bool {
    let style = || element.attr("style").unwrap_or_default().to_ascii_lowercase().replace(' ', "");
    element.attr("hidden").is_some_and(|value| value != "until-found")
        || style().contains("display:none")
}

/// The classes and the id of an element.
fn tokens(element: &Element) -> impl Iterator<Item = &str> {
    let names = [element.attr("class"), element.attr("id")].into_iter().flatten();
    names.flat_map(str::split_whitespace).filter(|name| name.len() <= MAX_NAME).take(MAX_NAMES)
}

/// `td-post-content`: `tdpostcontent`.
fn letters(token: &str) -> String {
    token.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

/// `relatedNews_hot-list`: `related`, `news`, `hot`, `list`.
fn words(token: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in token.chars() {
        if c.is_ascii_alphabetic() {
            if c.is_ascii_uppercase() && was_small {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(c.to_ascii_lowercase());
            }
        } else {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}
