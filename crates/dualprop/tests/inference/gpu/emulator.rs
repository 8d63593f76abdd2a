//! A stand-in for a GPU: the very kernels, compiled by a C compiler, and what libraries do as plain loops.

use std::ffi::{c_uint, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use dualprop::Result;
use dualprop::compute::cuda::{Address, Backend, Call, Convolve, Direction, Kind, Launch, Precision, Product, source};
use libloading::Library;

/// Blocks and threads of a launch: few, so that one thread has several numbers, and odd, so that some have one more.
const LAUNCH: (u32, u32) = (3, 7);

/// This machine's memory in the place of a GPU's.
pub(crate) struct Emulator {
    kernels: &'static Library,
    precision: Precision,
    /// What was taken, each with its own address.
    memory: Vec<Vec<u64>>,
}

impl Emulator {
    /// None, and it says so, where there is no C compiler.
    pub(crate) fn new(precision: Precision) -> Option<Self> {
        static KERNELS: [OnceLock<Option<Library>>; 3] = [const { OnceLock::new() }; 3];
        let which = match precision {
            Precision::F32 | Precision::Tf32 => 0,
            Precision::Bf16 => 1,
            Precision::F64 => 2,
        };
        let kernels = KERNELS[which].get_or_init(|| compiled(precision)).as_ref()?;
        Some(Emulator { kernels, precision, memory: vec![] })
    }

    fn launch(&self, launch: &Launch) {
        let name = |what: &str| format!("{}_{what}", launch.kernel);
        // SAFETY: `threads.c` declares both so for every kernel.
        unsafe {
            let size = self.kernels.get::<*const u64>(name("size").as_bytes()).unwrap();
            assert_eq!(launch.parameters.bytes() as u64, **size, "the struct of {}", launch.kernel);
            type Run = unsafe extern "C" fn(*const c_void, c_uint, c_uint);
            let run = self.kernels.get::<Run>(name("launch").as_bytes()).unwrap();
            run(launch.parameters.as_ptr(), LAUNCH.0, LAUNCH.1);
        }
    }

    fn state(&self, at: Address, i: usize) -> f64 {
        match self.precision {
            Precision::Bf16 => f64::from(f32::from_bits(u32::from(read::<u16>(at, i)) << 16)),
            _ => self.real(at, i),
        }
    }

    fn real(&self, at: Address, i: usize) -> f64 {
        if self.precision == Precision::F64 { read(at, i) } else { f64::from(read::<f32>(at, i)) }
    }

    fn put(&self, at: Address, i: usize, kind: Kind, x: f64) {
        match (self.precision, kind) {
            (Precision::F64, _) => write(at, i, x),
            (Precision::Bf16, Kind::State) => {
                let bits = (x as f32).to_bits();
                let rounded = if x.is_nan() { bits >> 16 | 0x40 } else { (bits + 0x7fff + (bits >> 16 & 1)) >> 16 };
                write(at, i, rounded as u16);
            }
            _ => write(at, i, x as f32),
        }
    }

    fn product(&self, product: &Product) {
        let [rows, columns, terms] = product.extents;
        let place = |transposed: bool, [row, column]: [usize; 2], [rows, columns]: [usize; 2]| match transposed {
            true => column * rows + row,
            false => row * columns + column,
        };
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let term = |k| {
                let left = place(product.transposed[0], [row, k], [rows, terms]);
                let right = place(product.transposed[1], [k, column], [terms, columns]);
                self.state(product.left, left) * self.state(product.right, right)
            };
            let sum: f64 = (0..terms).map(term).sum();
            self.put(product.output, row * columns + column, product.kind, product.scale * sum);
        }
    }

    /// Every direction is the same sum over (sample, pixel above, place of the kernel, channels), each gathered by what it computes.
    fn convolve(&self, convolve: &Convolve) {
        let (c, samples) = (convolve.convolution, convolve.samples);
        let (pixels, patch) = (c.height * c.width, c.size * c.size * c.inputs);
        let numbers = match convolve.direction {
            Direction::Forward => samples * pixels * c.outputs,
            Direction::Adjoint => samples * pixels * c.inputs,
            Direction::Weight => patch * c.outputs,
        };
        let mut sums = vec![0.0; numbers];
        for (pixel, output) in (0..samples * pixels).flat_map(|pixel| (0..c.outputs).map(move |output| (pixel, output))) {
            let (sample, y, x) = (pixel / pixels, pixel / c.width % c.height, pixel % c.width);
            for (dy, dx) in (0..c.size).flat_map(|dy| (0..c.size).map(move |dx| (dy, dx))) {
                let (y, x) = (y + dy, x + dx);
                let reach = c.size / 2;
                if !(reach..c.height + reach).contains(&y) || !(reach..c.width + reach).contains(&x) {
                    continue;
                }
                for input in 0..c.inputs {
                    let below = ((sample * c.height + y - reach) * c.width + x - reach) * c.inputs + input;
                    let (above, kernel) = (pixel * c.outputs + output, ((output * c.size + dy) * c.size + dx) * c.inputs + input);
                    match convolve.direction {
                        Direction::Forward => {
                            sums[above] += self.state(convolve.below, below) * self.state(convolve.kernel, kernel);
                        }
                        Direction::Adjoint => {
                            sums[below] += self.state(convolve.above, above) * self.state(convolve.kernel, kernel);
                        }
                        Direction::Weight => {
                            sums[kernel] += self.state(convolve.above, above) * self.state(convolve.below, below);
                        }
                    }
                }
            }
        }
        let output = match convolve.direction {
            Direction::Forward => convolve.above,
            Direction::Adjoint => convolve.below,
            Direction::Weight => convolve.kernel,
        };
        sums.iter().enumerate().for_each(|(i, sum)| self.put(output, i, Kind::State, convolve.scale * sum));
    }
}

impl Backend for Emulator {
    fn allocate(&mut self, bytes: u64) -> Result<Address> {
        let memory = vec![0; bytes.div_ceil(8) as usize];
        let address = Address(memory.as_ptr() as u64);
        self.memory.push(memory);
        Ok(address)
    }

    unsafe fn write(&mut self, at: Address, bytes: &[u8]) -> Result<()> {
        bytes.iter().enumerate().for_each(|(i, &byte)| write(at, i, byte));
        Ok(())
    }

    unsafe fn read(&mut self, at: Address, bytes: &mut [u8]) -> Result<()> {
        bytes.iter_mut().enumerate().for_each(|(i, byte)| *byte = read(at, i));
        Ok(())
    }

    unsafe fn carry_out(&mut self, calls: &[Call]) -> Result<()> {
        for call in calls {
            match call {
                Call::Launch(launch) => self.launch(launch),
                Call::Product(product) => self.product(product),
                Call::Convolve(convolve) => self.convolve(convolve),
                Call::Copy { from, to, bytes } => (0..*bytes as usize).for_each(|i| write::<u8>(*to, i, read(*from, i))),
                Call::Zero { at, bytes } => (0..*bytes as usize).for_each(|i| write(*at, i, 0u8)),
            }
        }
        Ok(())
    }
}

fn read<N: Copy>(at: Address, i: usize) -> N {
    // SAFETY: calls name places within what was allocated, of the type that they have there.
    unsafe { (at.0 as *const N).add(i).read() }
}

fn write<N>(at: Address, i: usize, x: N) {
    // SAFETY: as above.
    unsafe { (at.0 as *mut N).add(i).write(x) }
}

fn compiled(precision: Precision) -> Option<Library> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("kernels.c"), folder.path().join("kernels.so"));
    let threads = concat!(env!("CARGO_MANIFEST_DIR"), "/src/compute/cuda/threads.c");
    std::fs::write(&from, format!("#include \"{threads}\"\n{}", source())).unwrap();
    let Ok(done) = compiler(precision, &from, &to).output() else {
        println!("SKIPPED: there is no C compiler `cc` for the kernels of a GPU");
        return None;
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // SAFETY: loading it runs nothing of its own.
    Some(unsafe { Library::new(&to) }.unwrap())
}

fn compiler(precision: Precision, from: &Path, to: &Path) -> Command {
    let mut command = Command::new("cc");
    // As NVRTC is asked to: nothing is contracted. Warnings of the kernels are errors.
    command.args(["-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
    command.args(precision.definitions()).arg(from).arg("-o").arg(to).arg("-lm");
    command
}
