#![no_main]
dualprop_fuzz::target!("sweep");
