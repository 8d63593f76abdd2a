#![no_main]
dualprop_fuzz::target!("checkpoint");
