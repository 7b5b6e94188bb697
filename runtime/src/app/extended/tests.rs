//! What ends a session, with everything told by hand.

use futures_util::FutureExt;
use jiff::Timestamp;

use super::{ExtendedExecutionReason::*, ExtendedExecutionRevoked::*, *};
use crate::{AppState, app::Changes, clock::ManualClock, energy::Power};

struct Bench {
    clock: Arc<ManualClock>,
    changes: Changes,
    access: watch::Sender<AccessStatus>,
    power: watch::Sender<Option<Power>>,
}

fn power(on_battery: bool, saver: bool) -> Option<Power> {
    Some(Power {
        on_battery: Reading::Known(on_battery),
        charge: None,
        saver: Reading::Known(saver),
    })
}

fn bench(reason: ExtendedExecutionReason) -> (Bench, Limit) {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let bench = Bench {
        changes: Changes::new(clock.clone()),
        clock,
        access: watch::Sender::new(AccessStatus::AllowedSubjectToSystemPolicy),
        power: watch::Sender::new(power(false, false)),
    };
    let limit = Limit {
        reason,
        clock: bench.clock.clone(),
        lifecycle: bench.changes.listen(),
        access: bench.access.subscribe(),
        power: bench.power.subscribe(),
    };
    (bench, limit)
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_users_return_ends_it() {
    for reason in [Unspecified, LocationTracking, SavingData] {
        let (bench, mut limit) = bench(reason);
        let mut reached = std::pin::pin!(limit.reached());
        assert_eq!(reached.as_mut().now_or_never(), None);
        for (state, expected) in [
            (AppState::Background, None),
            (AppState::Foreground, Some(Resumed)),
        ] {
            let mut change = std::pin::pin!(bench.changes.change(state));
            assert_eq!(change.as_mut().now_or_never(), None, "it is held back");
            assert_eq!(reached.as_mut().now_or_never(), expected);
            assert_eq!(change.now_or_never(), Some(()));
        }
    }
}

#[test]
fn saving_data_has_ten_minutes_and_location_tracking_has_no_end() {
    for (reason, expected) in [(SavingData, Some(SystemPolicy)), (LocationTracking, None)] {
        let (bench, mut limit) = bench(reason);
        let mut reached = std::pin::pin!(limit.reached());
        assert_eq!(reached.as_mut().now_or_never(), None);
        bench.clock.advance(10 * MINUTE - Duration::from_millis(1));
        assert_eq!(reached.as_mut().now_or_never(), None);
        bench.clock.advance(Duration::from_millis(1));
        assert_eq!(reached.as_mut().now_or_never(), expected, "{reason:?}");
    }
}

#[test]
fn anything_else_has_ten_minutes_on_the_battery() {
    let (bench, mut limit) = bench(Unspecified);
    let mut reached = std::pin::pin!(limit.reached());
    let mut after = |minutes: u32| {
        assert_eq!(reached.as_mut().now_or_never(), None);
        bench.clock.advance(minutes * MINUTE);
        reached.as_mut().now_or_never()
    };
    assert_eq!(after(1000), None);
    bench.power.send_replace(power(true, false));
    assert_eq!(after(9), None);
    bench.power.send_replace(power(false, false));
    assert_eq!(after(9), None);
    bench.power.send_replace(power(true, false));
    assert_eq!(after(9), None);
    assert_eq!(after(1), Some(SystemPolicy));
}

#[test]
fn who_takes_access_back_or_saves_energy_ends_it() {
    let (bench, mut limit) = self::bench(LocationTracking);
    let mut reached = std::pin::pin!(limit.reached());
    assert_eq!(reached.as_mut().now_or_never(), None);
    bench.access.send_replace(AccessStatus::DeniedByUser);
    assert_eq!(reached.as_mut().now_or_never(), Some(SystemPolicy));

    let (bench, mut limit) = self::bench(LocationTracking);
    bench.access.send_replace(AccessStatus::AlwaysAllowed);
    let mut reached = std::pin::pin!(limit.reached());
    bench.power.send_replace(power(false, true));
    assert_eq!(reached.as_mut().now_or_never(), None, "always allowed");
    let subject = AccessStatus::AllowedSubjectToSystemPolicy;
    bench.access.send_replace(subject);
    assert_eq!(reached.as_mut().now_or_never(), Some(SystemPolicy));
}
