//! Every harm there is, a row each; what a harm does and proves is in its file below `faults/`.

use crate::fault::Fault;
use crate::faults;
use crate::faults::isolate::From;

macro_rules! harms {
    ($($harm:ident => $definition:expr),* $(,)?) => {
        /// What a fault does to those it hits. Ordered as listed.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs, reason = "each is described by its own file and by `list faults`")]
        pub enum Harm {
            $($harm),*
        }

        impl Harm {
            /// Every harm.
            pub const ALL: &[Harm] = &[$(Harm::$harm),*];

            /// What the harm says of itself.
            pub fn definition(self) -> &'static dyn Fault {
                match self {
                    $(Harm::$harm => &$definition),*
                }
            }
        }
    };
}

harms! {
    Kill => faults::kill::Kill,
    Pause => faults::pause::Pause,
    KillLagging => faults::kill_lagging::KillLagging,
    Heir => faults::heir::Heir,
    Ahead => faults::ahead::Ahead::Heard,
    Unheard => faults::ahead::Ahead::Unheard,
    Outlive => faults::outlive::Outlive,
    LastStanding => faults::last_standing::LastStanding,
    Maroon => faults::maroon::Maroon,
    Terminate => faults::terminate::Terminate,
    Restart => faults::restart::Restart,
    RollingRestart => faults::rolling_restart::RollingRestart,
    Throttle => faults::throttle::Throttle,
    Isolate => faults::isolate::Isolate(From::Everybody),
    IsolateWithClients => faults::isolate::Isolate(From::OtherNodes),
    IsolateFromClients => faults::isolate::Isolate(From::Clients),
    IsolateFromControllers => faults::isolate::Isolate(From::Controllers),
    Mute => faults::one_way::OneWay::Mute,
    Deafen => faults::one_way::OneWay::Deafen,
    PartitionHalves => faults::partition::Partition::Halves,
    PartitionRing => faults::partition::Partition::Ring,
    PartitionBridge => faults::partition::Partition::Bridge,
    Slow => faults::slow::Slow::Latency,
    Jitter => faults::slow::Slow::Jitter,
    Narrow => faults::narrow::Narrow,
    Stall => faults::stall::Stall,
    Reset => faults::reset::Reset,
    Refuse => faults::door::Shut::Refuse,
    BlackHole => faults::door::Shut::BlackHole,
    DropRequest => faults::frame::Frame::DropRequest,
    DropResponse => faults::frame::Frame::DropResponse,
    DelayRequest => faults::frame::Frame::DelayRequest,
    DelayResponse => faults::frame::Frame::DelayResponse,
    DuplicateRequest => faults::frame::Frame::DuplicateRequest,
    PowerLoss => faults::wreck::Wrecked::PowerLoss,
    FsyncLies => faults::fsync_lies::FsyncLies,
    FsyncError => faults::fsync_error::FsyncError,
    FsyncSlow => faults::fsync_slow::FsyncSlow,
    FsyncHang => faults::fsync_hang::FsyncHang,
    DiskFull => faults::disk_full::DiskFull,
    WriteError => faults::io_error::IoError::Writes,
    ReadError => faults::io_error::IoError::Reads,
    DiskSlow => faults::disk_slow::DiskSlow,
    BitRot => faults::wreck::Wrecked::BitRot,
    Truncate => faults::wreck::Wrecked::Truncate,
    Wipe => faults::wreck::Wrecked::Wipe,
    ClockJump => faults::clock::Clock::Jump,
    ClockDrift => faults::clock::Clock::Drift,
    ClockStrobe => faults::clock::Clock::Strobe,
}
