//! Requests in the transactions of a shop's own database: `cargo run --example outbox -- DATABASE`
use bgtask::{prelude::*, rusqlite::Connection};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Sends a receipt: what must happen exactly if the order is there.
#[background_task(trigger = application, host = process)]
fn send_receipt(Args(order): Args<u32>) -> String {
    format!("receipt of order {order}")
}

fn database() -> String {
    std::env::args().nth(1).unwrap_or("shop.db".to_owned())
}

fn setup(app: AppBuilder) -> Result<AppBuilder> {
    Ok(app.outbox(database()))
}

#[bgtask::main(setup = setup)]
async fn main(app: App) -> Result<()> {
    let mut shop = Connection::open(database())?;
    shop.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, total INTEGER)",
    )?;
    let mut receipts = Vec::new();
    for total in [4200, 0, 1700] {
        // Dropped without a commit, it is rolled back: the order and its receipt.
        let order = shop.transaction()?;
        order.execute("INSERT INTO orders (total) VALUES (?1)", [total])?;
        let number = u32::try_from(order.last_insert_rowid())?;
        let receipt = app.task::<send_receipt>().request_in(&order, number)?;
        if total == 0 {
            println!("order {number} is empty");
            continue;
        }
        order.commit()?;
        println!("order {number} is placed");
        receipts.push(receipt);
    }
    for receipt in receipts {
        let run = app.run::<send_receipt>(receipt).await?;
        println!("sent: {}", run.completed().await?);
    }
    Ok(())
}
