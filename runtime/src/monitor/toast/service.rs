//! The connection to who shows notifications. What is pressed is told to who had it shown, so the
//! connection stays while something is shown.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bgtask_model::Trigger;
use futures_util::{
    StreamExt,
    stream::{Select, select},
};
use tokio::sync::{mpsc, watch};
use zbus::{
    Connection, MatchRule, Message, MessageStream, conn::Builder, fdo::DBusProxy, message::Type,
    wire::Variant,
};

use super::{Order, Place, Shows, Toast};
use crate::{
    Details, ToastAction, ToastId,
    clock::{Clock, within},
    monitor::{Change, Changes, bus},
};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The key of the toast itself.
const DEFAULT: &str = "default";

/// A service that has to be started first is given so long.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Service {
    place: Place,
    clock: Arc<dyn Clock>,
    changes: Changes,
    found: watch::Sender<Shows>,
    /// While something is shown.
    bus: Option<Bus>,
    shown: HashMap<u32, Shown>,
}

struct Bus {
    connection: Connection,
    signals: Select<MessageStream, MessageStream>,
}

/// A toast, and what its parts are for.
struct Shown {
    /// Who shows it; nobody else is believed.
    by: String,
    argument: Option<String>,
    buttons: Vec<String>,
    token: Option<String>,
}

impl Service {
    pub(super) fn new(
        place: Place,
        clock: Arc<dyn Clock>,
        changes: Changes,
        found: watch::Sender<Shows>,
    ) -> Self {
        Self {
            place,
            clock,
            changes,
            found,
            bus: None,
            shown: HashMap::new(),
        }
    }

    pub(super) async fn serve(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.follow(order).await,
                    None => return,
                },
                signal = next(&mut self.bus) => match signal {
                    Some(Ok(signal)) => self.heard(&signal),
                    Some(Err(_)) => {}
                    None => self.forget(),
                },
            }
            if self.shown.is_empty() {
                self.bus = None;
            }
        }
    }

    async fn follow(&mut self, order: Order) {
        let clock = Arc::clone(&self.clock);
        match order {
            Order::Learn(reply) => {
                let shows = if bus::may_be_there_of_session(self.place.session_bus.as_deref()) {
                    let asked = within(&*clock, PATIENCE, self.shows()).await;
                    asked.and_then(Result::ok).unwrap_or(Shows::NoBus)
                } else {
                    Shows::NoBus
                };
                self.found.send_replace(shows);
                let _ = reply.send(());
            }
            Order::Show(toast, reply) => {
                let shown = within(&*clock, PATIENCE, self.show(toast)).await;
                let shown = match shown {
                    Some(shown) => shown.map_err(|error| error.to_string()),
                    None => Err("who shows notifications does not answer".to_owned()),
                };
                let _ = reply.send(shown);
            }
            Order::Hide(toast, reply) => {
                if let Some(bus) = &self.bus {
                    let arguments = (toast.0,);
                    let closed = bus.call("CloseNotification", &arguments);
                    if let Some(Err(error)) = within(&*clock, PATIENCE, closed).await {
                        tracing::debug!(%error, "a toast is not taken away");
                    }
                }
                self.shown.remove(&toast.0);
                let _ = reply.send(());
            }
        }
    }

    async fn connected(&mut self) -> zbus::Result<&Bus> {
        let bus = match self.bus.take() {
            Some(bus) => bus,
            None => Bus::connect(self.place.session_bus.as_deref()).await?,
        };
        Ok(self.bus.insert(bus))
    }

    /// Starts nobody.
    async fn shows(&mut self) -> zbus::Result<Shows> {
        let bus = self.connected().await?;
        let driver = DBusProxy::new(&bus.connection).await?;
        if driver.name_has_owner(NAME.try_into()?).await? {
            return Ok(
                match bus.capabilities().await?.iter().any(|one| one == "actions") {
                    true => Shows::Yes,
                    false => Shows::NoButtons,
                },
            );
        }
        let startable = driver.list_activatable_names().await?;
        Ok(match startable.iter().any(|one| one.as_str() == NAME) {
            true => Shows::Yes,
            false => Shows::NoService,
        })
    }

    async fn show(&mut self, toast: Toast) -> zbus::Result<ToastId> {
        let app = self.place.app.clone();
        let bus = self.connected().await?;
        let has_markup = bus
            .capabilities()
            .await?
            .iter()
            .any(|one| one == "body-markup");
        let body = if has_markup {
            escaped(&toast.body)
        } else {
            toast.body
        };
        let whole = toast.argument.iter();
        let whole = whole.flat_map(|_| [DEFAULT.to_owned(), String::new()]);
        let buttons = toast.buttons.iter().enumerate();
        let buttons = buttons.flat_map(|(key, (_, label))| [key.to_string(), label.clone()]);
        let actions: Vec<String> = whole.chain(buttons).collect();
        let hints: HashMap<&str, Variant<'_>> = HashMap::new();
        // It takes the place of none, has no picture, and stays as long as the desktop likes.
        let request = (&app, 0_u32, "", &toast.title, body, actions, hints, -1_i32);
        let answer = bus.call("Notify", &request).await?;
        let id: u32 = answer.body().deserialize()?;
        let shown = Shown {
            by: sender(&answer),
            argument: toast.argument,
            buttons: toast.buttons.into_iter().map(|button| button.0).collect(),
            token: None,
        };
        self.shown.insert(id, shown);
        Ok(ToastId(id))
    }

    fn heard(&mut self, signal: &Message) {
        let header = signal.header();
        let body = signal.body();
        let of_shown = |shown: &&mut Shown| shown.by == sender(signal);
        let of_the_bus = sender(signal) == "org.freedesktop.DBus";
        match header.member().map(|member| member.as_str()) {
            Some("ActivationToken") => {
                if let Ok((id, token)) = body.deserialize::<(u32, String)>()
                    && let Some(shown) = self.shown.get_mut(&id).filter(of_shown)
                {
                    shown.token = Some(token);
                }
            }
            Some("ActionInvoked") => {
                if let Ok((id, key)) = body.deserialize::<(u32, String)>()
                    && let Some(shown) = self.shown.get_mut(&id).filter(of_shown)
                    && let Some(argument) = shown.argument_of(&key)
                {
                    let toast = ToastAction {
                        argument,
                        toast: ToastId(id),
                        activation_token: shown.token.take(),
                    };
                    self.raise(toast);
                }
            }
            Some("NotificationClosed") => {
                if let Ok((id, _reason)) = body.deserialize::<(u32, u32)>()
                    && self.shown.get_mut(&id).as_ref().is_some_and(of_shown)
                {
                    self.shown.remove(&id);
                }
            }
            // Another one does not know what the last one showed.
            Some("NameOwnerChanged") if of_the_bus => {
                if let Ok((_, old, _)) = body.deserialize::<(String, String, String)>() {
                    self.shown.retain(|_, shown| shown.by != old);
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self) {
        self.bus = None;
        self.shown.clear();
    }

    fn raise(&self, toast: ToastAction) {
        let details = Box::new(Details {
            toast: Some(toast),
            ..Details::default()
        });
        let trigger = Trigger::ToastAction;
        // The broker ends only with everything else.
        let _ = self.changes.send(Change::Raised { trigger, details });
    }
}

impl Shown {
    /// What its part with this key is for.
    fn argument_of(&self, key: &str) -> Option<String> {
        if key == DEFAULT {
            return self.argument.clone();
        }
        self.buttons.get(key.parse::<usize>().ok()?).cloned()
    }
}

impl Bus {
    /// Listens before anything is shown.
    async fn connect(address: Option<&str>) -> zbus::Result<Self> {
        let builder = match address {
            Some(address) => Builder::address(address),
            None => Builder::session(),
        };
        let connection = builder.build().await?;
        let told = MatchRule::builder()
            .msg_type(Type::Signal)
            .path(PATH)
            .interface(NAME)
            .build()?;
        let told = MessageStream::for_match_rule(told, &connection, None).await?;
        let owner = bus::owner_changed(NAME)?;
        let owner = MessageStream::for_match_rule(owner, &connection, None).await?;
        Ok(Self {
            connection,
            signals: select(told, owner),
        })
    }

    async fn call(
        &self,
        method: &'static str,
        arguments: &(impl serde::Serialize + zbus::DynamicType + Sync),
    ) -> zbus::Result<Message> {
        let call = self
            .connection
            .call_method(Some(NAME), PATH, Some(NAME), method, arguments);
        call.await
    }

    async fn capabilities(&self) -> zbus::Result<Vec<String>> {
        let answer = self.call("GetCapabilities", &()).await?;
        answer.body().deserialize()
    }
}

async fn next(bus: &mut Option<Bus>) -> Option<zbus::Result<Message>> {
    match bus {
        Some(bus) => bus.signals.next().await,
        None => std::future::pending().await,
    }
}

fn sender(message: &Message) -> String {
    let header = message.header();
    let sender = header.sender();
    sender.map(ToString::to_string).unwrap_or_default()
}

/// As text where markup is read.
fn escaped(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    escaped.replace('>', "&gt;")
}
