//! Connections of other programs to tasks with `app_service`.

use bgtask_model::Trigger;
use tokio::sync::oneshot;

use super::{Broker, Command, Phase, batch::Reply, control::Surroundings};
use crate::{
    ActivationId, Code, Details, Error, Result, Standing,
    ipc::control::Connected,
    scheduler::{Action, Input, Raised},
    task::ServiceDetails,
};

impl Surroundings {
    /// Connects a caller to a run of its own. What is given back beside it ends with the activation,
    /// also when that never starts.
    pub(super) async fn connected(&self, service: String) -> Result<Connected> {
        let line = self.services.open();
        let details = ServiceDetails {
            service,
            connection: line.connection,
        };
        let activation = self
            .ask(|reply| Command::Connect { details, reply })
            .await??;
        let mut known = self
            .ask(|reply| Command::Find { activation, reply })
            .await?;
        let over = Box::pin(async move {
            if let Some(known) = &mut known {
                // Without a broker it is over as well.
                let _ = known.view.wait_for(|now| now.ended.is_some()).await;
            }
        });
        Ok(Connected { line, over })
    }
}

impl Broker {
    /// Accepts a connection for the task that serves it.
    pub(super) fn connect(
        &mut self,
        details: ServiceDetails,
        reply: oneshot::Sender<Result<ActivationId>>,
    ) {
        if let Err(error) = self.check_service(&details.service) {
            return drop(reply.send(Err(error)));
        }
        // What was accepted in this turn is counted as well.
        self.decide();
        let now = self.now();
        let what = Raised::Trigger(Trigger::AppService {
            name: details.service.clone(),
        });
        let details = Details {
            fired: now,
            service: Some(details),
            ..Details::default()
        };
        let mut activations = Vec::new();
        let mut refused = None;
        for action in self.scheduler.decide(now, Input::Raised { what, details }) {
            match action {
                Action::Enqueue(accepted) => activations.extend(accepted),
                other => {
                    if let Action::Note { why, .. } = &other {
                        refused = Some(why.clone());
                    }
                    self.act(other);
                }
            }
        }
        if activations.is_empty() {
            let why = refused.map_or_else(|| "nobody serves it".to_owned(), |why| why.to_string());
            let error = Error::new(Code::NotAccepted, format!("not accepted: {why}"));
            let error = error.remedy("`bgtask why NAME` tells more");
            return drop(reply.send(Err(error)));
        }
        self.enqueue(activations, Reply::Fire(reply));
    }

    fn check_service(&self, service: &str) -> Result<()> {
        if self.phase != Phase::Open {
            return Err(Error::closing());
        }
        let serves = self.live.values().filter(|live| {
            let serves = matches!(&live.declaration.trigger,
                Trigger::AppService { name } if name == service);
            serves && live.accepts && !matches!(live.standing, Standing::Quarantined { .. })
        });
        match serves.count() {
            1 => Ok(()),
            0 => {
                let rule = format!("not accepted: no task of the app serves `{service}`");
                Err(Error::new(Code::NotAccepted, rule)
                    .remedy("`bgtask list` shows the services, as triggers"))
            }
            _ => {
                let rule = format!("several tasks of the app serve `{service}`");
                Err(Error::new(Code::Ambiguous, rule).remedy("give one of them another name"))
            }
        }
    }
}
