#![no_main]
dualprop_fuzz::target!("tables");
