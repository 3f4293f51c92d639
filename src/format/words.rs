//! What pages say by themselves: in Chinese for Chinese feeds, in English for all others.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::category::Language;

/// The words of one language.
#[derive(Debug)]
pub(super) struct Words {
    /// What they are written in.
    pub(super) tag: &'static str,
    /// A day and a time, as chrono's `format` has them.
    time: &'static str,
    /// What a feed is, and what to do with it.
    pub(super) invitation: &'static str,
    /// Which address to take.
    pub(super) advice: &'static str,
    /// What to do with a list of feeds.
    pub(super) directions: &'static str,
    pub(super) subscribe: &'static str,
    pub(super) newest: &'static str,
    pub(super) nothing: &'static str,
    pub(super) changed: &'static str,
    pub(super) home: &'static str,
    pub(super) feeds: &'static str,
    pub(super) all_feeds: &'static str,
    pub(super) no_feeds: &'static str,
    pub(super) categories: &'static str,
    pub(super) opml: &'static str,
    pub(super) contact: &'static str,
    /// To hear a show in an app.
    pub(super) listen: &'static str,
    pub(super) episodes: &'static str,
    pub(super) editor: &'static str,
    pub(super) webmaster: &'static str,
}

impl Words {
    /// The nearest there are to what a feed is written in.
    pub(super) fn near(language: Option<&Language>) -> &'static Self {
        match language {
            Some(language) if language.primary() == SIMPLIFIED.primary() => {
                if is_traditional(language) { &TRADITIONAL } else { &SIMPLIFIED }
            }
            _ => &ENGLISH,
        }
    }

    /// Without script or region.
    pub(super) fn primary(&self) -> &'static str {
        self.tag.split('-').next().expect("a split has a first part")
    }

    /// For people.
    pub(super) fn time(&self, time: DateTime<Utc>, zone: Tz) -> String {
        let local = time.with_timezone(&zone);
        let zone = if zone == Tz::UTC { "UTC".to_owned() } else { local.format("%:z").to_string() };
        format!("{} {zone}", local.format(self.time))
    }
}

/// By its script, or else by where it is spoken.
fn is_traditional(chinese: &Language) -> bool {
    let has = |subtag| chinese.as_str().split('-').any(|part| part == subtag);
    has("Hant") || (!has("Hans") && ["TW", "HK", "MO"].into_iter().any(has))
}

static ENGLISH: Words = Words {
    tag: "en",
    time: "%-d %B %Y, %H:%M",
    invitation: "This is a feed: copy one of its addresses into a feed reader (an app that collects the news of the \
                 sites you choose), and new articles will come to you by themselves.",
    advice: "A click or a long press selects an address. All three bring the same articles; when in doubt, take RSS.",
    directions: "Each of these is a feed: copy its address into a feed reader (an app that collects the news of the \
                 sites you choose), and new articles will come to you by themselves.",
    subscribe: "Subscribe",
    newest: "Newest articles",
    nothing: "No articles yet.",
    changed: "Updated",
    home: "Read on the website",
    feeds: "Feeds",
    all_feeds: "All feeds",
    no_feeds: "No feeds yet.",
    categories: "Categories",
    opml: "All feeds in one file (OPML)",
    contact: "Contact",
    listen: "Listen in an app",
    episodes: "Episodes",
    editor: "Editor",
    webmaster: "Webmaster",
};

static SIMPLIFIED: Words = Words {
    tag: "zh-Hans",
    time: "%Y年%-m月%-d日 %H:%M",
    invitation: "这是一个订阅源：把下面任意一个地址复制到阅读器（替您收集各家新闻的应用）里，新文章就会自动送到您面前。",
    advice: "点击（手机上长按）即可选中整个地址。三个地址内容相同，拿不准就用 RSS。",
    directions: "下面每一项都是一个订阅源：把它的地址复制到阅读器（替您收集各家新闻的应用）里，新文章就会自动送到您面前。",
    subscribe: "订阅",
    newest: "最新文章",
    nothing: "暂无文章。",
    changed: "更新于",
    home: "前往网站阅读",
    feeds: "订阅源",
    all_feeds: "全部订阅源",
    no_feeds: "暂无订阅源。",
    categories: "栏目",
    opml: "一个文件订阅全部（OPML）",
    contact: "联系我们",
    listen: "用应用收听",
    episodes: "各期节目",
    editor: "编辑",
    webmaster: "网站管理员",
};

static TRADITIONAL: Words = Words {
    tag: "zh-Hant",
    time: "%Y年%-m月%-d日 %H:%M",
    invitation: "這是一個訂閱源：把下面任何一個網址複製到閱讀器（替您收集各家新聞的應用程式）裡，新文章就會自動送到您面前。",
    advice: "點擊（手機上長按）即可選取整個網址。三個網址內容相同，拿不定主意就用 RSS。",
    directions: "下面每一項都是一個訂閱源：把它的網址複製到閱讀器（替您收集各家新聞的應用程式）裡，新文章就會自動送到您面前。",
    subscribe: "訂閱",
    newest: "最新文章",
    nothing: "尚無文章。",
    changed: "更新於",
    home: "前往網站閱讀",
    feeds: "訂閱源",
    all_feeds: "全部訂閱源",
    no_feeds: "尚無訂閱源。",
    categories: "專欄",
    opml: "一個檔案訂閱全部（OPML）",
    contact: "聯絡我們",
    listen: "用應用程式收聽",
    episodes: "各集節目",
    editor: "編輯",
    webmaster: "網站管理員",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_feeds_get_chinese_words() {
        for (given, tag) in [
            ("zh", "zh-Hans"),
            ("zh-CN", "zh-Hans"),
            ("zh-Hans-HK", "zh-Hans"),
            ("zh-Hant", "zh-Hant"),
            ("zh-TW", "zh-Hant"),
            ("zh-HK", "zh-Hant"),
            ("en-GB", "en"),
            ("fr", "en"),
            ("zha", "en"),
        ] {
            let language = given.parse().unwrap();
            assert_eq!(Words::near(Some(&language)).tag, tag, "{given}");
        }
        assert_eq!(Words::near(None).tag, "en");
    }

    #[test]
    fn a_time_is_written_one_way() {
        let time = DateTime::from_timestamp(1_772_699_400, 0).unwrap();
        for (words, zone, written) in [
            (&ENGLISH, Tz::UTC, "5 March 2026, 08:30 UTC"),
            (&ENGLISH, Tz::Europe__London, "5 March 2026, 08:30 +00:00"),
            (&SIMPLIFIED, Tz::Asia__Shanghai, "2026年3月5日 16:30 +08:00"),
            (&TRADITIONAL, Tz::America__New_York, "2026年3月5日 03:30 -05:00"),
        ] {
            assert_eq!(words.time(time, zone), written);
        }
    }
}
