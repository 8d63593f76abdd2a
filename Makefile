# What a person or a machine runs on this repository; `make check` is what CI runs.

.PHONY: test test-torch check fmt clippy doc deny sbom soak fuzz reproducible asan valgrind wheel

# Builds and passes every test; needs a Rust toolchain and python3. What would make the next build shorter makes the first one longer.
test: export CARGO_INCREMENTAL = 0
test:
	cargo test --workspace --features dualprop/cuda --locked
	python3 scripts/check_floors.py
	python3 scripts/check_sbom.py
	python3 scripts/check_kernels.py
	python3 scripts/check_tensorboard.py
	python3 scripts/check_onnx.py
	python3 scripts/check_report.py
	python3 scripts/check_python.py

# What needs PyTorch, in an environment that has it: gigabytes.
test-torch:
	python3 scripts/check_python.py --torch

# The wheel that others get: manylinux, abi3; some minutes.
wheel:
	python3 scripts/wheel.py

check: fmt clippy doc deny test

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets --features dualprop/cuda --locked -- -D warnings
	cargo clippy -p dualprop --locked -- -D warnings
	cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --features dualprop/cuda --no-deps --locked

# Advisories need a database from the network, which `cargo deny fetch` keeps; bans, licences and sources need none.
deny:
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check bans licenses sources; \
	else echo "SKIPPED: cargo deny is not installed (cargo install cargo-deny --locked)"; fi
	@if ! cargo deny --version >/dev/null 2>&1; then :; \
	elif [ -d "$${CARGO_HOME:-$$HOME/.cargo}/advisory-dbs" ]; then cargo deny --locked --offline check advisories; \
	else echo "advisories: not checked, there is no database here (cargo deny fetch db)"; fi

# What the program is made of, in CycloneDX: target/dualprop.cdx.json.
sbom:
	python3 scripts/sbom.py

# Half an hour of killed trainings, bad input and two processes on one run, after 200 kills of one training; needs Linux.
soak:
	DUALPROP_KILLS=200 cargo test -p dualprop-cli --locked --test cli kills
	cargo build --release --locked
	python3 scripts/soak.py

# Ten minutes of fuzzing for each parser, two at a time; needs cargo-fuzz (cargo install cargo-fuzz --locked) and a C++ compiler.
fuzz:
	python3 scripts/fuzz.py

# Two release builds of this commit, in two folders, are the same to the bit: some minutes each.
reproducible:
	python3 scripts/reproducible.py

# The library's unit tests under AddressSanitizer, with the stable toolchain.
asan:
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=0 \
	cargo test -p dualprop --locked --lib --target x86_64-unknown-linux-gnu --target-dir target/asan

# The kernels under valgrind, which does not know AVX-512; without debug assertions, about which it errs (docs/reliability.md). The
# test of Winograd's transforms over all shapes takes hours there, while others have the same kernels; and valgrind 3.19 errs in vector
# comparisons with NaN, which one test is about.
valgrind:
	CARGO_PROFILE_TEST_DEBUG_ASSERTIONS=false DUALPROP_ISA=avx2 \
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind -q --error-exitcode=9" \
	cargo test -p dualprop --locked --lib --target x86_64-unknown-linux-gnu --target-dir target/valgrind \
	compute:: -- --test-threads=1 --skip transformed_convolutions --skip one_number_anywhere_is_seen
