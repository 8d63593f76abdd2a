#![no_main]
dualprop_fuzz::target!("run_directory");
