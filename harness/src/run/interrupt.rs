//! Ctrl-C and SIGTERM: once means heal, drain, judge and report what was done; twice ends the program, and the guard,
//! whose pipe closes with it, everything else.

use results::Exit;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the user asked for the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Wish {
    /// The program's exit.
    pub fn exit(self) -> Exit {
        match self {
            Wish::Interrupted => Exit::Interrupted,
            Wish::Terminated => Exit::Terminated,
        }
    }
}

/// What the user asked for while a run was going on.
#[derive(Clone, Debug)]
pub struct Interrupt {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts to listen; for the rest of the program's life.
    pub fn listen() -> std::io::Result<Interrupt> {
        let heard = Interrupt { interrupted: Arc::default(), terminated: Arc::default() };
        for (signal, wish, flag) in
            [(SIGINT, Wish::Interrupted, &heard.interrupted), (SIGTERM, Wish::Terminated, &heard.terminated)]
        {
            flag::register_conditional_shutdown(signal, i32::from(wish.exit().code()), Arc::clone(flag))?;
            flag::register(signal, Arc::clone(flag))?;
        }
        Ok(heard)
    }

    /// What the user asked for, if anything.
    pub fn heard(&self) -> Option<Wish> {
        if self.terminated.load(Ordering::Relaxed) {
            return Some(Wish::Terminated);
        }
        self.interrupted.load(Ordering::Relaxed).then_some(Wish::Interrupted)
    }
}
