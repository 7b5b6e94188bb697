//! Identities: of registrations, of activations and of runs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one; later ones sort after earlier ones.
            #[must_use]
            pub fn now() -> Self {
                Self(Uuid::now_v7())
            }

            pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            pub(crate) fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

identity! {
    /// Identity of a registration: a UUID of version 7, stable over restarts.
    RegistrationId
}
identity! {
    /// Identity of an activation: one firing of a trigger for one registration.
    ActivationId
}
identity! {
    /// Identity of a run: one execution of an activation (Windows: `InstanceId`).
    RunId
}

impl RunId {
    /// What the record of an activation that never started is known by.
    pub(crate) fn of_unstarted(activation: ActivationId) -> Self {
        Self::from_bytes(*activation.as_bytes())
    }
}
