//! Answers that are held up: each for its time, or until they are let go of.
//!
//! **Invariant:** nothing that answers the kernel waits; what is to be answered later is handed over here, and one thread
//! runs it when it is due.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

type Answer = Box<dyn FnOnce() + Send>;

enum Message {
    At(Instant, Answer),
    Hang(Answer),
    LetGo,
}

/// Where answers are handed over.
#[derive(Clone)]
pub struct Later(Sender<Message>);

impl Later {
    /// Starts the thread; it ends with the last handle.
    pub fn start() -> std::io::Result<Later> {
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("later".into()).spawn(move || run(&receiver))?;
        Ok(Later(sender))
    }

    /// Answers after `delay`.
    pub fn after(&self, delay: Duration, answer: impl FnOnce() + Send + 'static) {
        let _ = self.0.send(Message::At(Instant::now() + delay, Box::new(answer)));
    }

    /// Answers when everything is let go of.
    pub fn hang(&self, answer: impl FnOnce() + Send + 'static) {
        let _ = self.0.send(Message::Hang(Box::new(answer)));
    }

    /// Answers everything that was held up, now.
    pub fn let_go(&self) {
        let _ = self.0.send(Message::LetGo);
    }
}

fn run(receiver: &Receiver<Message>) {
    let (mut due, mut hung): (Vec<(Instant, Answer)>, Vec<Answer>) = Default::default();
    loop {
        let next = due.iter().map(|(at, _)| *at).min();
        let message = match next {
            Some(at) => receiver.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::At(at, answer)) => due.push((at, answer)),
            Ok(Message::Hang(answer)) => hung.push(answer),
            Ok(Message::LetGo) => due.drain(..).map(|(_, a)| a).chain(hung.drain(..)).for_each(|answer| answer()),
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                // In the order they came, as far as they are due.
                due.extract_if(.., |(at, _)| *at <= now).map(|(_, answer)| answer).for_each(|answer| answer());
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
