//! A program bound to the memory of a GPU.

use std::marker::PhantomData;
use std::ops::Range;

use crate::base::{Error, Real, Result};
use crate::compute::{BufferId, ParameterId, Program, Tensor};

use super::{Address, Call, Calls, Memory, Precision, Step, lower, lower_updates};

/// Whoever carries out calls: a GPU, or in tests something that takes its place.
pub trait Backend {
    /// Takes so many bytes, all of them 0.
    ///
    /// # Errors
    /// [`Error::Memory`] where there are not so many.
    fn allocate(&mut self, bytes: u64) -> Result<Address>;

    /// Copies bytes to the device.
    ///
    /// # Errors
    /// What the device reports.
    ///
    /// # Safety
    /// They lie within what was allocated.
    unsafe fn write(&mut self, at: Address, bytes: &[u8]) -> Result<()>;

    /// Copies bytes from the device, after all that it was asked to do.
    ///
    /// # Errors
    /// What the device reports.
    ///
    /// # Safety
    /// They lie within what was allocated.
    unsafe fn read(&mut self, at: Address, bytes: &mut [u8]) -> Result<()>;

    /// Carries out calls in their order.
    ///
    /// # Errors
    /// What the device reports.
    ///
    /// # Safety
    /// Everything that they name lies within what was allocated, and each kernel gets its own struct.
    unsafe fn carry_out(&mut self, calls: &[Call]) -> Result<()>;
}

/// A program bound to the memory of a GPU, for batches of one size: [`super::super::Cpu`] for a device that keeps its own parameters.
pub struct Cuda<T, B> {
    program: Program,
    memory: Memory,
    calls: Calls,
    updates: Vec<Call>,
    steps: Address,
    backend: B,
    of: PhantomData<T>,
}

impl<T: Real, B: Backend> Cuda<T, B> {
    /// Takes all memory that the program needs for batches of `samples`, and for an optimiser with so many moments of each parameter:
    /// 1 for SGD, 2 for Adam, 0 where nothing is learnt.
    ///
    /// # Errors
    /// [`Error::Setting`] for a program that a GPU does not carry out, and for numbers of another type than the precision has;
    /// [`Error::Memory`].
    pub fn new(program: Program, samples: usize, precision: Precision, moments: usize, mut backend: B) -> Result<Self> {
        if (precision == Precision::F64) != (size_of::<T>() == 8) {
            return Err(Error::setting("precision", crate::base::Named::name(precision), format!("the numbers are {}", T::NAME)));
        }
        let memory = Memory::new(&program, samples, precision, moments);
        let steps = backend.allocate(size_of::<Step<T>>() as u64)?;
        let base = backend.allocate(memory.bytes())?;
        let memory = memory.at(base);
        let calls = lower::<T>(&program, &memory)?;
        let updates = if moments > 0 { lower_updates(&program, &memory, moments == 2, steps) } else { vec![] };
        let mut device = Cuda { program, memory, calls, updates, steps, backend, of: PhantomData };
        device.write_neurons()?;
        Ok(device)
    }

    /// The weights of neurons that have each their own.
    fn write_neurons(&mut self) -> Result<()> {
        for (layer, weights) in self.program.neurons.iter().enumerate() {
            let one_minus_alpha: Vec<f64> = weights.alpha.iter().map(|alpha| 1.0 - alpha).collect();
            let all = [&weights.alpha, &one_minus_alpha, &weights.w_plus, &weights.w_minus];
            let numbers: Vec<T> = all.into_iter().flatten().map(|&x| T::from_f64(x)).collect();
            // SAFETY: the memory has room for four numbers of each neuron.
            unsafe { self.backend.write(self.memory.neurons(layer), &bytes(&numbers, false)) }?;
        }
        Ok(())
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Writes the rows of a buffer.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of numbers; what the device reports.
    pub fn write(&mut self, id: BufferId, numbers: &[T]) -> Result<()> {
        let expected = [self.memory.samples(), self.program.buffers[id.0]];
        if numbers.len() != expected[0] * expected[1] {
            return Err(Error::shape(format!("buffer {}", id.0), &[numbers.len()], &expected));
        }
        // SAFETY: as many as the memory has room for.
        unsafe { self.backend.write(self.memory.buffer(id), &bytes(numbers, self.is_narrow(id))) }
    }

    /// The rows of a buffer.
    ///
    /// # Errors
    /// What the device reports.
    pub fn read(&mut self, id: BufferId) -> Result<Vec<T>> {
        let n = self.memory.samples() * self.program.buffers[id.0];
        // SAFETY: as many as the memory has room for.
        unsafe { self.numbers(self.memory.buffer(id), n, self.is_narrow(id)) }
    }

    /// Whether a buffer is in bfloat16.
    fn is_narrow(&self, id: BufferId) -> bool {
        self.memory.precision().is_narrow() && !self.memory.is_wide(id)
    }

    /// # Safety
    /// They lie within what was allocated.
    unsafe fn numbers(&mut self, at: Address, n: usize, narrow: bool) -> Result<Vec<T>> {
        let mut bytes = vec![0; n * if narrow { 2 } else { size_of::<T>() }];
        // SAFETY: the caller's.
        unsafe { self.backend.read(at, &mut bytes) }?;
        Ok(numbers(&bytes, narrow))
    }

    /// Writes all parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are not those of the program; what the device reports.
    pub fn set_parameters(&mut self, parameters: &[Tensor<T>]) -> Result<()> {
        if !parameters.iter().map(Tensor::shape).eq(self.program.parameters.iter().map(|shape| &shape[..])) {
            return Err(Error::shape("the parameter list", &[parameters.len()], &[self.program.parameters.len()]));
        }
        for (id, tensor) in (0..).map(ParameterId).zip(parameters) {
            let numbers = channels_first(tensor.shape(), tensor.data());
            // SAFETY: the memory has room for each number in both types, where there are two.
            unsafe {
                self.backend.write(self.memory.parameter(id), &bytes(&numbers, false))?;
                if self.memory.precision().is_narrow() {
                    self.backend.write(self.memory.narrow(id), &bytes(&numbers, true))?;
                }
            }
        }
        Ok(())
    }

    /// All parameters as they are now.
    ///
    /// # Errors
    /// What the device reports.
    pub fn parameters(&mut self) -> Result<Vec<Tensor<T>>> {
        (0..self.program.parameters.len()).map(|i| self.tensor(i, self.memory.parameter(ParameterId(i)))).collect()
    }

    /// The gradients of the last batch, each a batch mean; of a parameter that has none, a tensor without elements.
    ///
    /// # Errors
    /// What the device reports.
    pub fn gradients(&mut self) -> Result<Vec<Tensor<T>>> {
        let has = self.program.has_gradient();
        let of = |(i, has): (usize, bool)| match has {
            true => self.tensor(i, self.memory.gradient(ParameterId(i))),
            false => Ok(Tensor::default()),
        };
        has.into_iter().enumerate().map(of).collect()
    }

    fn tensor(&mut self, parameter: usize, at: Address) -> Result<Tensor<T>> {
        let shape = self.program.parameters[parameter].clone();
        // SAFETY: it is the place of a parameter or of its gradient.
        let numbers = unsafe { self.numbers(at, shape.iter().product(), false) }?;
        Tensor::new(&shape, channels_last(&shape, &numbers))
    }

    /// Carries out these operations of the program.
    ///
    /// # Errors
    /// What the device reports.
    pub fn execute(&mut self, ops: Range<usize>) -> Result<()> {
        // SAFETY: they were made for this memory.
        unsafe { self.backend.carry_out(self.calls.of(ops)) }
    }

    /// Updates every parameter that has a gradient.
    ///
    /// # Errors
    /// What the device reports.
    pub fn update(&mut self, step: Step<T>) -> Result<()> {
        // SAFETY: the table has room for one step, and the calls were made for this memory.
        unsafe {
            self.backend.write(self.steps, &bytes(&step.numbers(), false))?;
            self.backend.carry_out(&self.updates)
        }
    }

    /// The first parameter whose gradient was not finite at an update.
    ///
    /// # Errors
    /// What the device reports.
    pub fn broken(&mut self) -> Result<Option<ParameterId>> {
        for id in (0..self.program.parameters.len()).map(ParameterId) {
            let mut word = [0; 4];
            // SAFETY: each parameter has such a word.
            unsafe { self.backend.read(self.memory.broken(id), &mut word) }?;
            if word != [0; 4] {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// The kernel [k, k, in, out] of a convolution as [out, k, k, in]; anything else as it is.
fn channels_first<T: Real>(shape: &[usize], numbers: &[T]) -> Vec<T> {
    let &[_, _, _, outputs] = shape else { return numbers.to_vec() };
    (0..outputs).flat_map(|output| numbers.iter().skip(output).step_by(outputs).copied()).collect()
}

/// The kernel [out, k, k, in] of a convolution as [k, k, in, out], its shape; anything else as it is.
fn channels_last<T: Real>(shape: &[usize], numbers: &[T]) -> Vec<T> {
    let &[.., outputs] = shape else { return numbers.to_vec() };
    if shape.len() != 4 {
        return numbers.to_vec();
    }
    let patch = numbers.len() / outputs.max(1);
    (0..patch).flat_map(|place| numbers.iter().skip(place).step_by(patch).copied()).collect()
}

/// Numbers as a device has them, in bfloat16 where `narrow`.
fn bytes<T: Real>(numbers: &[T], narrow: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(numbers));
    for &x in numbers {
        match (narrow, size_of::<T>()) {
            (true, _) => bytes.extend(nearest_bf16(x.to_f64() as f32).to_ne_bytes()),
            (false, 8) => bytes.extend(x.to_f64().to_ne_bytes()),
            (false, _) => bytes.extend((x.to_f64() as f32).to_ne_bytes()),
        }
    }
    bytes
}

/// The reverse of [`bytes`].
fn numbers<T: Real>(bytes: &[u8], narrow: bool) -> Vec<T> {
    match (narrow, size_of::<T>()) {
        (true, _) => {
            let wide = |half: &[u8; 2]| T::from_f64(f64::from(f32::from_bits(u32::from(u16::from_ne_bytes(*half)) << 16)));
            bytes.as_chunks().0.iter().map(wide).collect()
        }
        (false, 8) => bytes.as_chunks().0.iter().map(|number| T::from_f64(f64::from_ne_bytes(*number))).collect(),
        (false, _) => bytes.as_chunks().0.iter().map(|number| T::from_f64(f64::from(f32::from_ne_bytes(*number)))).collect(),
    }
}

/// The bits of the nearest bfloat16, of two equally near ones the even; NaN stays NaN.
fn nearest_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = if x.is_nan() { bits >> 16 | 0x40 } else { (bits + 0x7fff + (bits >> 16 & 1)) >> 16 };
    rounded as u16
}
