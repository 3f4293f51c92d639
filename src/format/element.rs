//! An element that neither RSS nor Atom knows.
//!
//! Both crates have a type of their own for extensions; this one stands for either.

/// An element of another vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// With its prefix.
    pub(super) name: &'static str,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) text: Option<String>,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// With nothing in it.
    pub(super) fn empty<const N: usize>(
        name: &'static str,
        attributes: [(&'static str, String); N],
    ) -> Self {
        Self { name, attributes: attributes.into(), text: None, children: Vec::new() }
    }

    /// With a text, and nothing more.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts come as they are")]
    pub(super) fn text(name: &'static str, text: impl ToString) -> Self {
        Self { text: Some(text.to_string()), ..Self::empty(name, []) }
    }

    /// With other elements in it.
    pub(super) fn holding(name: &'static str, children: Vec<Element>) -> Self {
        Self { children, ..Self::empty(name, []) }
    }

    /// The same with further attributes, those that there are.
    pub(super) fn with(
        mut self,
        attributes: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Self {
        let given = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
        self.attributes.extend(given);
        self
    }

    /// The namespace prefix of its name.
    pub(super) fn prefix(&self) -> &'static str {
        self.name.split_once(':').map_or("", |(prefix, _)| prefix)
    }
}
