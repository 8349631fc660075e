//! Runs one node of the embedded system from a `.properties` file: `cargo run --release -p stormglass-broker --example
//! node -- FILE`.

fn main() {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    std::process::exit(broker::main_from_properties(path.as_ref()));
}
