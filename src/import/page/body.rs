//! Where the text of an article stands in its page, and what of it is the article.

use std::collections::HashSet;

use url::Url;

use super::{
    blocks::{Block, MAX_PICTURES, Paragraph, Shown, blocks},
    dating::{self, Places},
    names::Standing,
    outline::{Outline, is_inline},
    printed::{self, Order},
};
use crate::import::record::ImageRecord;

/// The text of an article, without what the page has around it.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub html: String,
    pub pictures: Vec<ImageRecord>,
    /// What was left out at its end, or stood around it: there, names of editors are found.
    pub lines: Vec<String>,
}

/// Longest line that is taken for a caption, in characters.
const MAX_CAPTION: usize = 160;
/// Longest line that is taken for furniture, in characters.
const MAX_FURNITURE: usize = 140;

/// Least running text of an article, in Latin letters.
const LEAST_WORTH: f64 = 30.0;
/// Least share of the densest text that a part with the name of an article has.
const NAMED_SHARE: f64 = 0.35;
/// The same where the densest text is elsewhere, by [`Standing`].
const APART_SHARE: [f64; 3] = [0.5, 0.3, 0.1];
/// Least share of the running text of such a part that the densest text within it has to be taken instead.
const INNER_SHARE: f64 = 0.97;
/// Text that is too short to be known as an article by itself, in Latin letters.
const SHORT: f64 = 300.0;
/// Most elements for each Latin letter of a text that is shorter than `SPARSE` and not named for an article.
const ELEMENTS: f64 = 0.45;
const SPARSE: f64 = 2_500.0;
/// How much more running text an element has to have to be taken instead of one within it.
const CLIMB: f64 = 1.25;

/// Longest label, in characters.
const MAX_LABEL: usize = 30;
/// The same in Chinese, Japanese and Korean.
const MAX_WIDE_LABEL: usize = 14;

/// How lines begin, or what they hold, that pages put around articles.
const BEGINS: [&str; 44] = [
    "当前位置",
    "您所在的位置",
    "您的位置",
    "您当前的位置",
    "首页 >",
    "评论(",
    "评论（",
    "发送邮件至",
    "返回腾讯网",
    "我要反馈",
    "责任编辑",
    "責任編輯",
    "责编",
    "编辑：",
    "编辑:",
    "编审",
    "校对",
    "审核",
    "监制",
    "来源：",
    "来源:",
    "稿源",
    "分享到",
    "分享：",
    "分享让",
    "扫一扫",
    "扫描二维码",
    "扫码",
    "长按",
    "返回首页",
    "上一篇",
    "下一篇",
    "打开APP",
    "打开app",
    "点击下载",
    "下载客户端",
    "关闭窗口",
    "打印本页",
    "【打印",
    "【纠错",
    "声明：",
    "免责声明",
    "版权声明",
    "Copyright",
];
const HOLDS: [&str; 18] = [
    "版权所有",
    "未经授权",
    "许可证",
    "ICP备",
    "ICP证",
    "京ICP",
    "公网安备",
    "视听节目",
    "违法和不良信息",
    "举报电话",
    "网站地图",
    "All Rights Reserved",
    "all rights reserved",
    "责任编辑：",
    "责任编辑:",
    "责编：",
    "我要纠错",
    "字号：",
];
/// How short lines begin that ask for something, in lower case.
const INVITATIONS: &[&str] = &[
    "share this",
    "share on",
    "share the",
    "teilen",
    "tweet",
    "follow us",
    "subscribe",
    "sign up",
    "tags",
    "tagged",
    "filed under",
    "posted in",
    "posted by",
    "schlagwörter",
    "schlagworte",
    "kategorien",
    "kategorie",
    "categories",
    "category",
    "advertisement",
    "anzeige",
    "werbung",
    "publicité",
    "publicidad",
    "©",
    "copyright",
    "all rights reserved",
    "alle rechte vorbehalten",
    "facebook",
    "twitter",
    "whatsapp",
    "pinterest",
    "print this",
    "drucken",
    "artikel drucken",
    "kommentare",
    "comments",
    "leave a comment",
    "leave a reply",
    "jetzt teilen",
    "zur startseite",
    "nach oben",
    "back to top",
    "loading",
    "view comments",
    "click here to",
    "join our",
    "get our",
    "download our",
    "newsletter",
    "artikel teilen",
    "beitrag teilen",
    "compartir",
    "partager",
    "condividi",
    "udostępnij",
    "jetzt abonnieren",
    "abonnieren sie",
    "support us",
    "permalink",
    "kurzlink",
    "stand:",
    "ähnliche artikel",
    "diesen artikel",
    "diesen beitrag",
];
/// How lines begin that lead to another article, in lower case.
const READ_MORE: &[&str] = &[
    "read more",
    "read also",
    "also read",
    "see also",
    "related",
    "more on",
    "more from",
    "learn more",
    "watch",
    "lesen sie auch",
    "lesen sie mehr",
    "lesen sie hier",
    "lies auch",
    "mehr dazu",
    "mehr zum thema",
    "mehr lesen",
    "mehr zu",
    "mehr infos",
    "weiterlesen",
    "siehe auch",
    "auch interessant",
    "passend dazu",
    "lea también",
    "lea más",
    "lea",
    "leer más",
    "lee también",
    "ver también",
    "vea también",
    "vea",
    "mira",
    "mire",
    "te puede interesar",
    "le puede interesar",
    "puede interesarle",
    "también te puede interesar",
    "también",
    "lire aussi",
    "à lire",
    "à lire aussi",
    "voir aussi",
    "en savoir plus",
    "leggi anche",
    "leggi",
    "leia também",
    "leia mais",
    "zobacz",
    "zobacz też",
    "zobacz także",
    "zobacz również",
    "czytaj",
    "czytaj też",
    "czytaj także",
    "polecamy",
    "lees ook",
    "läs också",
    "läs mer",
    "lue myös",
    "lue lisää",
    "recommended",
    "continue reading",
];
/// What stands above links to other articles.
const RELATED_WHOLE: &[&str] = &[
    "related",
    "related articles",
    "related posts",
    "related stories",
    "related news",
    "related content",
    "related topics",
    "recommended",
    "recommended for you",
    "recommended by our editors",
    "you may also like",
    "you might also like",
    "more from",
    "more stories",
    "more news",
    "most read",
    "most popular",
    "trending",
    "read next",
    "read more",
    "see also",
    "further reading",
    "latest news",
    "top stories",
    "don't miss",
    "weitere artikel",
    "weitere beiträge",
    "weitere themen",
    "weitere meldungen",
    "weitere nachrichten",
    "weitere informationen",
    "mehr zum thema",
    "mehr artikel",
    "mehr lesen",
    "das könnte sie auch interessieren",
    "das könnte dich auch interessieren",
    "das könnte ihnen auch gefallen",
    "auch interessant",
    "ähnliche artikel",
    "ähnliche beiträge",
    "ähnliche themen",
    "verwandte artikel",
    "verwandte themen",
    "verwandte beiträge",
    "passend zum thema",
    "zum thema",
    "themen",
    "meistgelesen",
    "neueste artikel",
    "neueste beiträge",
    "aktuelle artikel",
    "aktuelle beiträge",
    "lesen sie auch",
    "artículos relacionados",
    "noticias relacionadas",
    "te puede interesar",
    "también te puede interesar",
    "más noticias",
    "articles similaires",
    "à lire aussi",
    "lire aussi",
    "sur le même sujet",
    "articoli correlati",
    "leggi anche",
    "potrebbe interessarti",
    "leia também",
    "veja também",
    "zobacz także",
    "zobacz również",
    "zobacz też",
    "czytaj także",
    "polecane",
    "polecamy",
    "lees ook",
    "gerelateerde artikelen",
];
/// The same in Chinese, as the beginning of a line.
const RELATED: [&str; 24] = [
    "为您推荐",
    "相关推荐",
    "热点聚焦",
    "精华推荐",
    "更多精彩",
    "大家都在看",
    "热门文章",
    "正文已结束",
    "返回腾讯网首页",
    "网友评论",
    "关键词 >>",
    "猜您喜欢",
    "相关阅读",
    "相关新闻",
    "相关文章",
    "相关链接",
    "相关报道",
    "延伸阅读",
    "推荐阅读",
    "热门推荐",
    "更多新闻",
    "猜你喜欢",
    "精彩推荐",
    "Related",
];

/// The text of an article that stands in these parts of a page.
pub(super) fn of(
    outline: &Outline<'_>,
    roots: &[usize],
    leads: &[usize],
    title: Option<&str>,
    base: Option<&Url>,
) -> Body {
    let leads = leads.iter().flat_map(|at| blocks(outline, *at, base));
    let mut leads: Vec<Block> = leads.filter(|lead| matches!(lead, Block::Paragraph(_))).collect();
    let mut found: Vec<Block> = roots.iter().flat_map(|at| blocks(outline, *at, base)).collect();
    // Some pages repeat them at the beginning of the text.
    let is_repeated = |lead: &Block| {
        found.iter().take(30).any(|block| {
            matches!((lead, block),
            (Block::Paragraph(lead), Block::Paragraph(block)) if block.words.contains(&lead.words))
        })
    };
    leads.retain(|lead| !is_repeated(lead));
    leads.append(&mut found);
    let found = leads;
    let mut lines = Vec::new();
    let found = without_furniture(found, title, &mut lines);
    written(captioned(found), lines)
}

/// The first sentences of an article where they stand apart from these parts of a page; those within them that were taken
/// for furniture are taken back.
pub(super) fn leads(
    outline: &mut Outline<'_>,
    roots: &[usize],
    headline: Option<usize>,
) -> Vec<usize> {
    let (Some(headline), Some(places)) = (headline, places(outline, roots, headline)) else {
        return Vec::new();
    };
    let found = outline.leads(headline, places.text);
    let is_within =
        |outline: &Outline<'_>, lead: usize| roots.iter().any(|at| outline.holds(*at, lead));
    for at in &found {
        outline.restore(*at);
    }
    // A part around it that is out hides it all the same.
    found
        .into_iter()
        .filter(|at| !is_within(outline, *at) || outline.is_hidden_by_others(*at))
        .collect()
}

/// Where the parts of an article stand.
pub(super) fn places(
    outline: &Outline<'_>,
    roots: &[usize],
    headline: Option<usize>,
) -> Option<Places> {
    let (first, last) = (*roots.first()?, *roots.last()?);
    let end = outline.parts[last].end;
    let from = headline.filter(|headline| outline.holds(first, *headline)).unwrap_or(first);
    let text = outline.running(from, end).unwrap_or(from);
    let home =
        headline.and_then(|headline| outline.around(headline).find(|at| outline.holds(*at, text)));
    Some(Places { headline, home, text, end })
}

/// The parts of a page that hold its article; `None` where that is in doubt.
pub(super) fn roots(outline: &Outline<'_>, headline: Option<usize>) -> Option<Vec<usize>> {
    likely(outline, headline).filter(|roots| !is_doubtful(outline, roots, headline))
}

/// Whether a text is so short that it can be anything and does not follow the headline, or is scattered over a page.
fn is_doubtful(outline: &Outline<'_>, roots: &[usize], headline: Option<usize>) -> bool {
    let unlinked: f64 =
        roots.iter().map(|at| outline.tally(*at)).map(|all| all.length - all.linked).sum();
    let Some(first) = roots.first() else { return true };
    // Shops and programs have many elements for few words.
    let elements: usize = roots.iter().map(|at| outline.parts[*at].end - at).sum();
    let elements = f64::from(u32::try_from(elements).unwrap_or(u32::MAX));
    let is_named = outline.parts[*first].standing >= Some(Standing::Article);
    if !is_named && unlinked < SPARSE && elements > ELEMENTS * unlinked {
        return true;
    }
    if unlinked >= SHORT {
        return false;
    }
    headline.is_none_or(|headline| {
        headline < *first && outline.worth_between(headline, *first) > worth_of(outline, roots)
    })
}

/// The parts of a page that most likely hold its article: what is named for it, unless that has too little of the running
/// text of the page, else what has most of that text.
fn likely(outline: &Outline<'_>, headline: Option<usize>) -> Option<Vec<usize>> {
    let densest =
        densest(outline, headline).filter(|at| !outline.is_called_furniture(*at, headline));
    let home = headline.and_then(|headline| {
        outline.around(headline).find(|at| {
            outline.parts[*at].standing.is_some() && outline.tally(*at).worth >= LEAST_WORTH
        })
    });
    let places = Likely { outline, headline, home };
    let standings = [Standing::Body, Standing::Article, Standing::Content];
    let named = standings.into_iter().find_map(|standing| {
        let named = named(outline, standing, headline)?;
        // What is named only for the contents of a page holds more than its article.
        let inner = densest.filter(|densest| {
            let within = named.iter().any(|at| outline.holds(*at, *densest));
            let share = outline.tally(*densest).worth / worth_of(outline, &named).max(1.0);
            standing == Standing::Content && within && share >= INNER_SHARE
        });
        if let Some(inner) = inner {
            return Some(vec![inner]);
        }
        let is_clear = densest.is_none_or(|densest| places.prefers(&named, standing, densest));
        (is_clear && places.has_text(&named, standing)).then_some(named)
    });
    named.or_else(|| densest.map(|densest| vec![densest]))
}

/// What is known of a page before its article is found.
struct Likely<'a, 't> {
    outline: &'a Outline<'t>,
    headline: Option<usize>,
    /// The smallest part that is named for an article and holds the headline.
    home: Option<usize>,
}

impl Likely<'_, '_> {
    /// Whether parts that are named for an article are taken, and not what has the most running text.
    fn prefers(&self, named: &[usize], standing: Standing, densest: usize) -> bool {
        let outline = self.outline;
        let share = worth_of(outline, named) / outline.tally(densest).worth.max(1.0);
        let overlaps =
            named.iter().any(|at| outline.holds(*at, densest) || outline.holds(densest, *at));
        if overlaps {
            return share >= NAMED_SHARE;
        }
        // The article with the headline is meant, however long a text elsewhere is.
        let is_elsewhere = self.home.is_some_and(|home| {
            outline.holds(home, densest) && !named.iter().any(|at| outline.holds(home, *at))
        });
        let holds_headline =
            |at: &usize| self.headline.is_some_and(|headline| outline.holds(*at, headline));
        let is_headed = standing != Standing::Content && named.iter().any(holds_headline);
        !is_elsewhere && (is_headed || share >= APART_SHARE[standing as usize])
    }

    /// Whether there is enough in named parts to be an article.
    fn has_text(&self, named: &[usize], standing: Standing) -> bool {
        let unlinked: f64 =
            named.iter().map(|at| self.outline.tally(*at)).map(|all| all.length - all.linked).sum();
        let follows = || {
            let between =
                self.headline.zip(named.first()).filter(|(headline, first)| headline < first);
            between.is_some_and(|(headline, first)| {
                self.outline.worth_between(headline, *first) < LEAST_WORTH
            })
        };
        worth_of(self.outline, named) >= LEAST_WORTH
            || (standing != Standing::Content && unlinked >= 2.0 * LEAST_WORTH)
            || (standing == Standing::Body && unlinked >= LEAST_WORTH / 2.0 && follows())
    }
}

fn worth_of(outline: &Outline<'_>, roots: &[usize]) -> f64 {
    roots.iter().map(|at| outline.tally(*at).worth).sum()
}

/// The parts whose names say that they hold the article: the one with the most running text, and its siblings of the same
/// standing.
fn named(outline: &Outline<'_>, standing: Standing, headline: Option<usize>) -> Option<Vec<usize>> {
    let all = outline.parts.iter().enumerate();
    let all = all.filter(|(_, part)| part.standing == Some(standing) && !part.is_out);
    let all: Vec<usize> = all.map(|(at, _)| at).collect();
    let worth = |at: usize| {
        let worth = outline.tally(at).worth;
        // Of articles on one page, the one with the headline is meant.
        let is_headed = headline.is_none_or(|headline| {
            outline.holds(at, headline) || (at > headline && standing == Standing::Body)
        });
        if is_headed { worth } else { worth / 4.0 }
    };
    let best = all.iter().copied().max_by(|a, b| worth(*a).total_cmp(&worth(*b)).then(b.cmp(a)))?;
    if standing != Standing::Body {
        return Some(vec![best]);
    }
    let parent = outline.parts[best].parent;
    let mut group: Vec<usize> = Vec::new();
    for at in all {
        let is_sibling =
            at == best || (outline.parts[at].parent == parent && outline.tally(at).worth > 0.0);
        if is_sibling && group.last().is_none_or(|last| !outline.holds(*last, at)) {
            group.push(at);
        }
    }
    Some(group)
}

/// The part with the most running text for its size: from where most of it stands, as far up as there is much more of it.
fn densest(outline: &Outline<'_>, headline: Option<usize>) -> Option<usize> {
    let rated = outline.parts.iter().enumerate().filter(|(_, part)| !part.is_out);
    let rated = rated.filter(|(_, part)| {
        let name = part.element.value().name();
        !is_inline(name) && !matches!(name, "p" | "li" | "blockquote" | "pre" | "h1" | "h2" | "h3")
    });
    let rate = |at: usize| {
        let worth = outline.paragraphs_worth(at);
        // What stands before the headline is seldom the article.
        if headline.is_some_and(|headline| outline.parts[at].end <= headline) {
            worth / 2.0
        } else {
            worth
        }
    };
    let best = rated.map(|(at, _)| (at, rate(at))).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if best.1 < LEAST_WORTH {
        return None;
    }
    let mut chosen = best.0;
    for at in outline.around(best.0) {
        if outline.tally(at).worth >= CLIMB * outline.tally(chosen).worth {
            chosen = at;
        }
    }
    Some(chosen)
}

/// Leaves out what pages put before, into and after articles.
fn without_furniture(
    found: Vec<Block>,
    title: Option<&str>,
    lines: &mut Vec<String>,
) -> Vec<Block> {
    let mut kept: Vec<Block> = Vec::new();
    // Whether the page has begun to lead elsewhere.
    let mut is_elsewhere = false;
    let mut is_begun = false;
    for block in found {
        let paragraph = match &block {
            Block::Picture(_) => {
                if !is_elsewhere {
                    kept.push(block);
                }
                continue;
            }
            Block::Paragraph(paragraph) | Block::Other(paragraph) => paragraph,
        };
        let words = paragraph.words.trim_matches(['[', ']', '【', '】', '(', ')', '（', '）', ' ']);
        let is_short = paragraph.length() <= MAX_FURNITURE;
        let is_running = paragraph.is_running();
        if is_short && is_related(words) {
            is_elsewhere = true;
            continue;
        }
        if is_elsewhere {
            if !is_running {
                continue;
            }
            is_elsewhere = false;
        }
        let is_title = title.is_some_and(|title| title == paragraph.words)
            || (paragraph.heading == 1 && !is_begun);
        let begins =
            BEGINS.iter().any(|sign| words.starts_with(sign)) || is_invitation(words, paragraph);
        let holds = HOLDS.iter().any(|sign| words.contains(sign));
        let is_byline = !is_begun && (super::byline::is_one(words) || is_dateline(words));
        // `《城东日报》（2026年03月05日 第07版）`
        let is_issue = words.starts_with('《') && words.ends_with('版') && words.contains('年');
        if is_title || (is_short && (begins || holds || is_byline || is_issue)) {
            lines.push(paragraph.words.clone());
            continue;
        }
        let is_address = words.contains("://") || words.starts_with("www.");
        if paragraph.is_links() && !is_address {
            lines.push(paragraph.words.clone());
            continue;
        }
        is_begun |= is_running;
        kept.push(block);
    }
    trim(&mut kept, lines);
    // Headings with nothing under them lead elsewhere.
    while let Some(Block::Paragraph(last) | Block::Other(last)) = kept.last() {
        if last.heading == 0 {
            break;
        }
        kept.pop();
    }
    kept
}

/// Leaves out the labels before the first and after the last running text: `评论`, `3 min read`, `Home > City`.
fn trim(kept: &mut Vec<Block>, lines: &mut Vec<String>) {
    let is_running =
        |block: &Block| matches!(block, Block::Paragraph(it) | Block::Other(it) if it.is_running());
    let (Some(first), Some(last)) =
        (kept.iter().position(is_running), kept.iter().rposition(is_running))
    else {
        return;
    };
    let mut at = 0;
    kept.retain(|block| {
        let is_around = at < first || at > last;
        at += 1;
        let Block::Paragraph(paragraph) = block else { return true };
        let is_label = is_around
            && paragraph.heading == 0
            && !paragraph.looks_like_caption
            && is_label(&paragraph.words);
        if is_label {
            lines.push(paragraph.words.clone());
        }
        !is_label
    });
}

/// Whether a line is no sentence, and too short for anything else.
fn is_label(words: &str) -> bool {
    let is_wide = words.chars().any(|c| c >= '\u{2e80}');
    let length = words.chars().count();
    let is_ended = words.ends_with([
        '。', '！', '？', '…', '）', ')', '”', '」', '：', ':', '.', '!', '?', '"', '“', '»', ';',
        '】', ']',
    ]);
    let is_address = words.contains("://") || words.contains("www.") || words.contains('@');
    !is_ended && !is_address && length <= if is_wide { MAX_WIDE_LABEL } else { MAX_LABEL }
}

/// Whether a line stands above links to other articles.
fn is_related(words: &str) -> bool {
    let words = words.trim_start_matches(['•', '-', '–', '»', '>', '+', '*', ' ']);
    let lower = words.to_lowercase();
    let lower = lower.trim_end_matches([':', '：', ' ', '…', '.', '!']);
    (words.chars().count() <= 24 && RELATED.iter().any(|sign| words.starts_with(sign)))
        || RELATED_WHOLE.contains(&lower)
}

/// Whether a short line invites to something else: to share, to subscribe, to another article.
fn is_invitation(words: &str, paragraph: &Paragraph) -> bool {
    let lower = words.to_lowercase();
    let is_linked = paragraph.linked * 3 >= paragraph.length();
    let begins = |signs: &[&str]| {
        signs.iter().any(|sign| {
            lower.strip_prefix(sign).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
    };
    begins(INVITATIONS)
        || (is_linked && begins(READ_MORE))
        || (begins(READ_MORE) && lower.contains(':'))
}

/// Whether a line before the text is only there to say when it was written, and by whom.
fn is_dateline(words: &str) -> bool {
    let plain = printed::plain(words);
    words.chars().count() <= 90
        && printed::all(&plain, Order::DayFirst)
            .iter()
            .any(|date| dating::is_dateline(&plain, date))
}

/// Puts lines under pictures into the pictures.
fn captioned(found: Vec<Block>) -> Vec<Block> {
    let mut kept: Vec<Block> = Vec::new();
    for block in found {
        if let Block::Paragraph(paragraph) = &block
            && let Some(Block::Picture(picture)) = kept.last_mut()
            && picture.caption.is_empty()
            && is_caption(paragraph, picture)
        {
            picture.caption.clone_from(&paragraph.words);
            continue;
        }
        // Who took it may stand in a line of its own.
        if let Block::Paragraph(paragraph) = &block
            && let Some(Block::Picture(picture)) = kept.last_mut()
            && !picture.caption.is_empty()
            && paragraph.length() <= 24
            && credit(&paragraph.words).is_some()
            && credit(&picture.caption).is_none()
        {
            picture.caption.extend([" ", &paragraph.words]);
            continue;
        }
        kept.push(block);
    }
    kept
}

fn is_caption(paragraph: &Paragraph, picture: &Shown) -> bool {
    let words = paragraph.words.as_str();
    let length = paragraph.length();
    let marked =
        ["▲", "△", "▼", "↑", "图：", "图为", "图片说明", "资料图", "上图", "下图", "Photo"];
    let ends = words.trim_end_matches(['）', ')', '。', '】', ' ']);
    let is_credited =
        ["摄", "攝", "供图", "图片", "发", "/图"].iter().any(|sign| ends.ends_with(sign))
            && length <= 100;
    length <= MAX_CAPTION
        && paragraph.heading == 0
        && !paragraph.is_links()
        && (paragraph.looks_like_caption
            || is_credited
            || marked.iter().any(|sign| words.starts_with(sign))
            || (!picture.alt.is_empty() && picture.alt == words))
}

fn written(found: Vec<Block>, lines: Vec<String>) -> Body {
    let mut body = Body { lines, ..Body::default() };
    let mut shown_already = HashSet::new();
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    for block in found {
        match block {
            Block::Paragraph(Paragraph { html, heading: 0, .. }) => {
                body.html.extend(["<p>", &html, "</p>\n"]);
            }
            Block::Paragraph(Paragraph { html, heading, .. }) => {
                let name = format!("h{}", heading.max(2));
                body.html.extend(["<", &name, ">", &html, "</", &name, ">\n"]);
            }
            Block::Other(Paragraph { html, .. }) => body.html.extend([&html, "\n"]),
            Block::Picture(shown) => {
                let Shown { url, alt, caption, width, height } = shown;
                if body.pictures.len() >= MAX_PICTURES || !shown_already.insert(url.clone()) {
                    continue;
                }
                let under = if caption.is_empty() {
                    String::new()
                } else {
                    format!("<figcaption>{}</figcaption>", escape(&caption))
                };
                let picture = format!(
                    "<figure><img src=\"{}\" alt=\"{}\">{under}</figure>\n",
                    escape(&url),
                    escape(&alt)
                );
                body.html.push_str(&picture);
                body.pictures.push(ImageRecord {
                    url: Some(url),
                    credit: credit(&caption),
                    caption: Some(caption).filter(|text| !text.is_empty()),
                    alt: Some(alt).filter(|text| !text.is_empty()),
                    width,
                    height,
                    ..ImageRecord::default()
                });
            }
        }
    }
    body
}

/// Who made a picture, as its caption ends: `新馆正门。（林小雨 摄）`, `新华社记者 林小雨摄`.
fn credit(caption: &str) -> Option<String> {
    let end = caption.trim_end_matches(['）', ')', '。', '】', ' ']);
    let is_credit = ["摄", "攝", "供图"].iter().any(|sign| end.ends_with(sign));
    let last = end.rsplit(['（', '(', '。', '，', '【', '；']).next()?.trim();
    (is_credit && last.chars().count() <= 24)
        .then(|| last.to_owned())
        .filter(|last| last.chars().count() > 1)
}
