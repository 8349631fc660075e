//! Every harm there is, a row each; what a harm does and proves is in its file below `faults/`.

use crate::fault::Fault;
use crate::faults;

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
    Outlive => faults::outlive::Outlive,
    LastStanding => faults::last_standing::LastStanding,
    Maroon => faults::maroon::Maroon,
    Terminate => faults::terminate::Terminate,
    Restart => faults::restart::Restart,
    RollingRestart => faults::rolling_restart::RollingRestart,
    Throttle => faults::throttle::Throttle,
    PowerLoss => faults::power_loss::PowerLoss,
    FsyncLies => faults::fsync_lies::FsyncLies,
    FsyncError => faults::fsync_error::FsyncError,
    FsyncSlow => faults::fsync_slow::FsyncSlow,
    FsyncHang => faults::fsync_hang::FsyncHang,
    DiskFull => faults::disk_full::DiskFull,
    WriteError => faults::write_error::WriteError,
    ReadError => faults::read_error::ReadError,
    DiskSlow => faults::disk_slow::DiskSlow,
    BitRot => faults::bit_rot::BitRot,
    Truncate => faults::truncate::Truncate,
    Wipe => faults::wipe::Wipe,
    ClockJump => faults::clock_jump::ClockJump,
    ClockDrift => faults::clock_drift::ClockDrift,
    ClockStrobe => faults::clock_strobe::ClockStrobe,
}
