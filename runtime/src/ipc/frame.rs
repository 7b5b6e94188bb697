//! One message per frame: a length of four bytes, then MessagePack with named fields.
//!
//! What arrives is not trusted: frames are limited in length and values in depth, and every
//! mistake is an error. Values carry their text forms (UUIDs, times), because some of the types
//! are buffered by serde on the way in, where only text forms survive.

use std::{
    fmt,
    io::{self, Read, Write},
    marker::PhantomData,
    os::fd::OwnedFd,
};

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;
use tokio_util::{
    bytes::Bytes,
    codec::{FramedRead, FramedWrite, LengthDelimitedCodec},
};

use super::descriptors::{Reading, Writing};

/// The longest frame in bytes.
pub(crate) const MAX_FRAME: usize = 4 << 20;

/// How deep values may be nested: a little more than `serde_json` reads.
const MAX_DEPTH: usize = 160;

/// Why a message could not be sent or received.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// Longer than [`MAX_FRAME`]; the length is known for one's own messages.
    TooLong(Option<usize>),
    /// Not a message of the protocol.
    Malformed(String),
    /// The connection failed.
    Io(io::Error),
}

impl FrameError {
    /// Whether the other side is gone.
    pub(crate) fn is_end(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        let gone = |kind| matches!(kind, BrokenPipe | ConnectionReset | UnexpectedEof);
        matches!(self, Self::Io(error) if gone(error.kind()))
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(Some(length)) => write!(
                f,
                "a message of {length} bytes is too long: the limit is {MAX_FRAME}"
            ),
            Self::TooLong(None) => {
                write!(f, "a message is too long: the limit is {MAX_FRAME} bytes")
            }
            Self::Malformed(text) => write!(f, "a message cannot be read: {text}"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        // The codec says so when a length is over its maximum.
        if error.kind() == io::ErrorKind::InvalidData {
            Self::TooLong(None)
        } else {
            Self::Io(error)
        }
    }
}

/// A message, ready to be sent.
#[derive(Debug)]
pub(crate) struct Frame(Bytes);

impl Frame {
    /// # Errors
    /// [`FrameError::TooLong`] and [`FrameError::Malformed`].
    pub(crate) fn of<T: Serialize>(message: &T) -> Result<Self, FrameError> {
        encode(message).map(|bytes| Self(Bytes::from(bytes)))
    }
}

/// Both directions of a connection.
#[derive(Debug)]
pub(crate) struct Frames<In, Out> {
    receiver: FrameReceiver<In>,
    sender: FrameSender<Out>,
}

impl<In: DeserializeOwned, Out: Serialize> Frames<In, Out> {
    pub(crate) fn new(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Self {
            receiver: FrameReceiver {
                frames: FramedRead::new(Reading::new(read), codec()),
                message: PhantomData,
            },
            sender: FrameSender {
                frames: FramedWrite::new(Writing::new(write), codec()),
                message: PhantomData,
            },
        }
    }

    /// As [`FrameSender::send`].
    pub(crate) async fn send(&mut self, message: &Out) -> Result<(), FrameError> {
        self.sender.send(message).await
    }

    /// As [`FrameReceiver::receive`].
    pub(crate) async fn receive(&mut self) -> Result<Option<In>, FrameError> {
        self.receiver.receive().await
    }

    /// The two directions apart, for two tasks.
    pub(crate) fn split(self) -> (FrameSender<Out>, FrameReceiver<In>) {
        (self.sender, self.receiver)
    }
}

/// The sending direction.
#[derive(Debug)]
pub(crate) struct FrameSender<Out> {
    frames: FramedWrite<Writing, LengthDelimitedCodec>,
    message: PhantomData<fn(Out)>,
}

impl<Out: Serialize> FrameSender<Out> {
    /// Sends a message and waits until the socket has taken it.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] and [`FrameError::Malformed`] leave the connection as it was.
    pub(crate) async fn send(&mut self, message: &Out) -> Result<(), FrameError> {
        self.send_frame(Frame::of(message)?).await
    }

    /// Sends a message that was framed before.
    pub(crate) async fn send_frame(&mut self, frame: Frame) -> Result<(), FrameError> {
        self.frames.send(frame.0).await.map_err(FrameError::Io)
    }

    /// Sends a message that was framed before, and a descriptor with it.
    pub(crate) async fn send_with(&mut self, frame: Frame, fd: OwnedFd) -> Result<(), FrameError> {
        self.frames.get_mut().put(fd);
        self.send_frame(frame).await
    }

    /// Takes a message that was framed before, and sends of it what can be sent without waiting;
    /// [`flush`](Self::flush) sends the rest. `false`: it was not taken, others are to be sent first.
    pub(crate) fn try_send(&mut self, frame: Frame) -> bool {
        let taken = matches!(self.frames.feed(frame.0).now_or_never(), Some(Ok(())));
        if taken {
            // An error comes again with the next use.
            let _ = self.flush().now_or_never();
        }
        taken
    }

    /// Waits until the socket has taken all that was sent.
    pub(crate) async fn flush(&mut self) -> Result<(), FrameError> {
        let flushed = SinkExt::<Bytes>::flush(&mut self.frames).await;
        flushed.map_err(FrameError::Io)
    }
}

/// The receiving direction.
#[derive(Debug)]
pub(crate) struct FrameReceiver<In> {
    frames: FramedRead<Reading, LengthDelimitedCodec>,
    message: PhantomData<fn() -> In>,
}

impl<In: DeserializeOwned> FrameReceiver<In> {
    /// The next message; `None` when the other side closed between two messages. Nothing is lost
    /// when the future is dropped.
    pub(crate) async fn receive(&mut self) -> Result<Option<In>, FrameError> {
        match self.frames.next().await {
            None => Ok(None),
            Some(frame) => decode(&frame?).map(Some),
        }
    }

    /// The descriptor that came with the last message, if that says that one did.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.frames.get_mut().take()
    }
}

/// Reads one message, and not a byte more, from a blocking connection.
///
/// # Errors
/// The end of the connection is an error here too, [`io::ErrorKind::UnexpectedEof`].
pub(crate) fn read<T: DeserializeOwned>(mut from: impl Read) -> Result<T, FrameError> {
    let mut length = [0; 4];
    from.read_exact(&mut length).map_err(FrameError::Io)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(None));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).map_err(FrameError::Io)?;
    decode(&bytes)
}

/// Writes one message to a blocking connection.
pub(crate) fn write<T: Serialize>(mut to: impl Write, message: &T) -> Result<(), FrameError> {
    let bytes = encode(message)?;
    let length = u32::try_from(bytes.len()).map_err(|_| FrameError::TooLong(Some(bytes.len())))?;
    let frame = [&length.to_be_bytes()[..], &bytes].concat();
    to.write_all(&frame).map_err(FrameError::Io)
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(MAX_FRAME)
        .new_codec()
}

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_human_readable();
    message
        .serialize(&mut serializer)
        .map_err(|error| FrameError::Malformed(error.to_string()))?;
    if bytes.len() > MAX_FRAME {
        return Err(FrameError::TooLong(Some(bytes.len())));
    }
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    T::deserialize(&mut deserializer).map_err(|error| FrameError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn pair() -> (Frames<String, String>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        (Frames::new(ours), theirs)
    }

    #[tokio::test]
    async fn messages_arrive_in_order_and_the_end_is_seen() {
        let (mut ours, theirs) = pair();
        let mut theirs = Frames::<String, String>::new(theirs);
        for word in ["one", "", "three"] {
            ours.send(&word.to_owned()).await.expect("sent");
        }
        drop(ours);
        for word in ["one", "", "three"] {
            assert_eq!(
                theirs.receive().await.expect("received").as_deref(),
                Some(word)
            );
        }
        assert!(theirs.receive().await.expect("an orderly end").is_none());
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_not_sent_and_the_next_one_is() {
        let (mut ours, theirs) = pair();
        let mut theirs = Frames::<String, String>::new(theirs);
        let error = ours.send(&"x".repeat(MAX_FRAME)).await.unwrap_err();
        assert!(
            matches!(error, FrameError::TooLong(Some(n)) if n > MAX_FRAME),
            "{error}"
        );
        ours.send(&"short".to_owned()).await.expect("sent");
        assert_eq!(
            theirs.receive().await.expect("received").as_deref(),
            Some("short")
        );
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_an_error_before_it_is_read() {
        let (mut ours, mut theirs) = pair();
        theirs
            .write_all(&u32::MAX.to_be_bytes())
            .await
            .expect("written");
        let error = ours.receive().await.unwrap_err();
        assert!(matches!(error, FrameError::TooLong(None)), "{error}");
    }

    #[tokio::test]
    async fn garbage_and_a_cut_frame_are_errors() {
        let (mut ours, mut theirs) = pair();
        theirs
            .write_all(&[0, 0, 0, 2, 0xc1, 0xc1])
            .await
            .expect("written");
        let error = ours.receive().await.unwrap_err();
        assert!(matches!(error, FrameError::Malformed(_)), "{error}");

        let (mut ours, mut theirs) = pair();
        theirs.write_all(&[0, 0, 0, 9, 1]).await.expect("written");
        drop(theirs);
        let error = ours.receive().await.unwrap_err();
        assert!(matches!(error, FrameError::Io(_)), "{error}");
    }

    #[tokio::test]
    async fn one_message_is_read_and_written_without_waiting_for_others() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
        theirs.set_nonblocking(true).expect("set");
        let theirs = UnixStream::from_std(theirs).expect("a socket");
        let mut theirs = Frames::<String, String>::new(theirs);
        for word in ["one", "two"] {
            theirs.send(&word.to_owned()).await.expect("sent");
        }
        assert_eq!(read::<String>(&ours).expect("read"), "one");
        assert_eq!(read::<String>(&ours).expect("read"), "two");
        write(&ours, &"three".to_owned()).expect("written");
        let heard = theirs.receive().await.expect("received");
        assert_eq!(heard.as_deref(), Some("three"));
        drop(theirs);
        let end = read::<String>(&ours).unwrap_err();
        assert!(
            matches!(&end, FrameError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof),
            "{end}"
        );
    }

    #[tokio::test]
    async fn what_is_not_sent_at_once_is_sent_by_the_flush_and_in_order() {
        let (ours, theirs) = pair();
        let (mut sender, _receiver) = ours.split();
        let mut theirs = Frames::<String, String>::new(theirs);
        let long = "x".repeat(1 << 20);
        let frame = |word: &str| Frame::of(&word.to_owned()).expect("a frame");
        assert!(sender.try_send(frame("one")));
        // More than the socket takes.
        assert!(sender.try_send(frame(&long)));
        assert!(!sender.try_send(frame("not taken")));
        let flushed = tokio::spawn(async move {
            sender.flush().await.expect("sent");
            sender.send(&"last".to_owned()).await.expect("sent");
        });
        for word in ["one", &long, "last"] {
            let heard = theirs.receive().await.expect("received");
            assert_eq!(heard.as_deref(), Some(word));
        }
        flushed.await.expect("no panic");
    }

    #[test]
    fn what_is_read_at_once_is_limited_too() {
        let long = read::<String>(&[0xff; 64][..]).unwrap_err();
        assert!(matches!(long, FrameError::TooLong(None)), "{long}");
        let garbage = read::<String>(&[0, 0, 0, 1, 0xc1][..]).unwrap_err();
        assert!(matches!(garbage, FrameError::Malformed(_)), "{garbage}");
    }

    #[test]
    fn a_value_nested_without_end_is_an_error() {
        let bytes = [0x91; 100_000];
        assert!(decode::<serde_json::Value>(&bytes).is_err());
    }
}
