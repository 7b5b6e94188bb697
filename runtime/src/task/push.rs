//! What a sender pushes to an app.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A raw notification: what a sender pushes to the tasks with `push`, or `push("channel")`. It is
/// what such a task is given, and what [`App::push`](crate::App::push), a
/// [`RawSource`](crate::RawSource) and `bgtask push` send.
///
/// ```
/// use bgtask::{RawNotification, prelude::*};
///
/// #[background_task(trigger = push("news"))]
/// async fn show(news: RawNotification) -> String {
///     let kind = news.headers.get("kind").map_or("news", String::as_str);
///     format!("{kind}: {}", news.content().unwrap_or("something that is no text"))
/// }
///
/// let sent = RawNotification::new("it rains").on("news").with_header("kind", "weather");
/// assert_eq!(sent.content(), Some("it rains"));
/// ```
///
/// Windows: [`RawNotification`](https://learn.microsoft.com/uwp/api/windows.networking.pushnotifications.rawnotification).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawNotification {
    /// The channel; `None` is the app's default channel, of a plain `push`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What the sender says of the content. bgtask reads none of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The content.
    #[serde(default, with = "content")]
    pub bytes: Vec<u8>,
    /// When the app accepted it. What a sender states is not looked at.
    #[serde(default)]
    pub received: Timestamp,
}

impl RawNotification {
    /// One with this content, for the default channel.
    #[must_use]
    pub fn new(content: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: content.into(),
            ..Self::default()
        }
    }

    /// For this channel.
    #[must_use]
    pub fn on(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// With one more header; of one name the last counts.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The content, if it is text in UTF-8.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The length of the channel and the headers, in bytes.
    pub(crate) fn about(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        headers + self.channel.as_ref().map_or(0, String::len)
    }
}

/// Content is kept as the text that it is, as a rule.
pub(crate) mod content {
    use super::{Cow, Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Content<'c> {
        Text(Cow<'c, str>),
        Bytes(Cow<'c, [u8]>),
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let content = match std::str::from_utf8(bytes) {
            Ok(text) => Content::Text(text.into()),
            Err(_) => Content::Bytes(bytes.into()),
        };
        content.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        Ok(match Content::deserialize(deserializer)? {
            Content::Text(text) => text.into_owned().into_bytes(),
            Content::Bytes(bytes) => bytes.into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_content_comes_back_as_it_was() {
        let text = RawNotification::new("täglich \0 \"neu\"");
        let bytes = RawNotification::new([0xff, 0, 0x80]).on("bin");
        let empty = RawNotification::default().with_header("a", "b");
        assert_eq!(text.content(), Some("täglich \0 \"neu\""));
        assert_eq!((bytes.content(), empty.content()), (None, Some("")));
        for sent in [text, bytes, empty] {
            let json = serde_json::to_string(&sent).unwrap();
            assert_eq!(
                serde_json::from_str::<RawNotification>(&json).unwrap(),
                sent
            );
            let packed = rmp_serde::to_vec_named(&sent).unwrap();
            let back: RawNotification = rmp_serde::from_slice(&packed).unwrap();
            assert_eq!(back, sent);
        }
        let text = serde_json::to_string(&RawNotification::new("news")).unwrap();
        assert!(text.contains(r#""bytes":"news""#), "{text}");
    }

    #[test]
    fn what_is_said_of_the_content_is_counted() {
        let sent = RawNotification::new("12345").on("abc");
        let sent = sent.with_header("k", "vv").with_header("k2", "");
        assert_eq!(sent.about(), 3 + 3 + 2);
    }
}
