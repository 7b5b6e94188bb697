//! A listener, for which a process of its own answers: `cargo run --example echo -- [ADDRESS]`
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use bgtask::{SocketActivity, SocketReason, prelude::*};

/// Says back what it hears. In between, its connections are watched, and nobody works on them.
#[background_task(trigger = socket, host = process)]
fn echo(mut activity: SocketActivity) -> std::io::Result<()> {
    let mut stream: TcpStream = activity.take()?;
    match activity.reason {
        SocketReason::Activity => {
            let mut heard = [0; 1024];
            let length = stream.read(&mut heard)?;
            stream.write_all(&heard[..length])?;
        }
        SocketReason::Closed => return Ok(()),
        SocketReason::Accepted | SocketReason::KeepAlive => {}
    }
    activity.give_back(stream)
}

#[bgtask::main]
async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0"))?;
    let mut caller = TcpStream::connect(listener.local_addr()?)?;
    app.task::<echo>().transfer("door", listener).await?;
    for word in ["hello", "there"] {
        caller.write_all(word.as_bytes())?;
        let mut answer = [0; 5];
        caller.read_exact(&mut answer)?;
        println!("{}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
