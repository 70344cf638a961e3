//! One GET, again and again; `THINK_MS` is how long each user waits in between.

use std::time::Duration;

use goose::prelude::*;

async fn get(user: &mut GooseUser) -> TransactionResult {
    let answer = user.get("/").await?;
    // As the other tools do: an answer is there when all of it is there.
    if let Ok(response) = answer.response {
        let _body = response.bytes().await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), GooseError> {
    let mut scenario = scenario!("get").register_transaction(transaction!(get));
    if let Some(think) = std::env::var("THINK_MS").ok().and_then(|think| think.parse().ok()) {
        let think = Duration::from_millis(think);
        scenario = scenario.set_wait_time(think, think)?;
    }
    GooseAttack::initialize()?.register_scenario(scenario).execute().await?;
    Ok(())
}
