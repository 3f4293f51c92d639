//! Which address a picture, a film or a recording really has (T-37).

use scraper::node::Element;
use url::Url;

use super::urls;

/// Where scripts that load late find the true address.
const LATE_SOURCES: [&str; 8] = [
    "data-src",
    "data-original",
    "data-lazy-src",
    "data-actualsrc",
    "_src",
    "data-lazy",
    "data-url",
    "file",
];

const LATE_SOURCE_SETS: [&str; 2] = ["data-srcset", "data-lazy-srcset"];

/// What the file names of stand-ins contain.
const STAND_INS: [&str; 14] = [
    "1x1",
    "blank",
    "clear.",
    "dot.",
    "empty",
    "gray",
    "grey",
    "lazy",
    "loading",
    "none.",
    "pixel",
    "placeholder",
    "spacer",
    "transparent",
];

/// The addresses of a picture.
#[derive(Debug)]
pub(super) struct Source {
    /// The address that every reader understands.
    pub(super) src: Option<Url>,
    /// The `srcset`, as it is written; empty when there is none.
    pub(super) srcset: String,
}

/// The true addresses of `element`, be they in `src` or in what scripts copy there.
pub(super) fn source(element: &Element, base: Option<&Url>) -> Source {
    let late = LATE_SOURCES.iter().find_map(|name| urls::web_url(element.attr(name)?, base));
    let stands_in = |src: &Url| late.is_some() && stand_in(src);
    let src = element.attr("src").and_then(|src| urls::web_url(src, base));
    let src = src.filter(|src| !stands_in(src)).or(late);
    let set = |name| Some(urls::srcset(element.attr(name)?, base)).filter(|set| !set.is_empty());
    let set = set("srcset").or_else(|| LATE_SOURCE_SETS.iter().find_map(|name| set(name)));
    let set = set.unwrap_or_default();
    let written = |(url, size): &(Url, String)| format!("{url} {size}").trim_end().to_owned();
    Source {
        src: src.or_else(|| set.last().map(|(url, _)| url.clone())),
        srcset: set.iter().map(written).collect::<Vec<_>>().join(", "),
    }
}

fn stand_in(src: &Url) -> bool {
    let file = src.path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    STAND_INS.iter().any(|name| file.contains(name))
}

/// Whether `element` is at most one pixel wide and high, so there to count readers.
pub(super) fn counts_readers(element: &Element) -> bool {
    let tiny = |name| {
        element
            .attr(name)
            .is_some_and(|size| matches!(size.trim().trim_end_matches("px"), "0" | "1"))
    };
    tiny("width") && tiny("height")
}

#[cfg(test)]
mod tests {
    use crate::text::html::tests::check;

    #[test]
    fn pictures_show_what_scripts_would_load() {
        for (raw, expected) in [
            ("<img data-src=/a.jpg>", "<img alt=\"\" src=\"https://example.com/a.jpg\">"), // T-37
            (
                "<img src='data:image/gif;base64,R0lG' data-original=/a.jpg alt=图>",
                "<img alt=\"图\" src=\"https://example.com/a.jpg\">",
            ),
            (
                "<img src=/static/loading.gif data-actualsrc=/a.jpg>",
                "<img alt=\"\" src=\"https://example.com/a.jpg\">",
            ),
            (
                "<img src=/b.jpg data-src=/a.jpg>",
                "<img alt=\"\" src=\"https://example.com/b.jpg\">",
            ),
            (
                "<img src=/images/common/none.gif file=/a.jpg>",
                "<img alt=\"\" src=\"https://example.com/a.jpg\">",
            ),
            (
                "<img data-srcset='/a.jpg 300w, /b.jpg 600w'>",
                "<img alt=\"\" src=\"https://example.com/b.jpg\" srcset=\"https://example.com/a.jpg 300w, https://example.com/b.jpg 600w\">",
            ),
            ("<img src=/a.gif width=1 height=1><img src=/a.gif width=0 height=0px>", ""),
            (
                "<img src=/a.gif width=640px height=50% loading=LAZY>",
                "<img alt=\"\" loading=\"lazy\" src=\"https://example.com/a.gif\" width=\"640\">",
            ),
            (
                "<img src='data:,' data-src=/a.jpg><noscript><img src=/a.jpg></noscript>",
                "<img alt=\"\" src=\"https://example.com/a.jpg\">",
            ),
            (
                "<picture><source srcset=/a.webp type=image/webp><source srcset=/n.jpg media='(x)'><img src=/a.jpg></picture>",
                "<picture><source srcset=\"https://example.com/a.webp\" type=\"image/webp\"><img alt=\"\" src=\"https://example.com/a.jpg\"></picture>",
            ),
            ("<picture><source srcset=/a.webp></picture>", ""),
        ] {
            check(raw, expected);
        }
    }
}
