#![no_main]
dualprop_fuzz::target!("model");
