// Made by Scripts/generate_operators.py from Scripts/operators.txt and the schemas of torch 2.11.0. Do not edit.

extension Tensor {
  /// Uninitialised memory.
  ///
  /// libtorch: `empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor`
  public static func empty(_ size: [Int], dtype: DType? = nil, device: Device? = nil, memoryFormat: MemoryFormat? = nil) -> Tensor {
    var call = OperatorCall(Operators.emptyMemoryFormat)
    call.push(size); call.push(dtype); call.pushNone(); call.push(device); call.pushNone(); call.push(memoryFormat)
    return call.tensor()
  }

  /// All zeros.
  ///
  /// libtorch: `zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func zeros(_ size: [Int], dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.zeros)
    call.push(size); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// All ones.
  ///
  /// libtorch: `ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func ones(_ size: [Int], dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.ones)
    call.push(size); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// Filled with one value.
  ///
  /// libtorch: `full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func full(_ size: [Int], fillValue: Scalar, dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.full)
    call.push(size); call.push(fillValue); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// start, start + step, … below end.
  ///
  /// libtorch: `arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func arange(_ start: Scalar, end: Scalar, step: Scalar = 1, dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.arangeStartStep)
    call.push(start); call.push(end); call.push(step); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// Evenly spaced values, both ends included.
  ///
  /// libtorch: `linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func linspace(_ start: Scalar, end: Scalar, steps: Int, dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.linspace)
    call.push(start); call.push(end); call.push(steps); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// Identity matrix.
  ///
  /// libtorch: `eye(SymInt n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func eye(_ n: Int, dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.eye)
    call.push(n); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// Zeros of this tensor's shape, type and device.
  ///
  /// libtorch: `zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor`
  public func zerosLike(dtype: DType? = nil, device: Device? = nil, memoryFormat: MemoryFormat? = nil) -> Tensor {
    var call = OperatorCall(Operators.zerosLike)
    call.push(self); call.push(dtype); call.pushNone(); call.push(device); call.pushNone(); call.push(memoryFormat)
    return call.tensor()
  }

  /// Ones of this tensor's shape, type and device.
  ///
  /// libtorch: `ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor`
  public func onesLike(dtype: DType? = nil, device: Device? = nil, memoryFormat: MemoryFormat? = nil) -> Tensor {
    var call = OperatorCall(Operators.onesLike)
    call.push(self); call.push(dtype); call.pushNone(); call.push(device); call.pushNone(); call.push(memoryFormat)
    return call.tensor()
  }

  /// Standard normal noise from a generator.
  ///
  /// libtorch: `randn.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func randn(_ size: [Int], generator: Generator?, dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.randnGenerator)
    call.push(size); call.push(generator); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// Uniform noise in [0, 1) from a generator.
  ///
  /// libtorch: `rand.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func rand(_ size: [Int], generator: Generator?, dtype: DType? = nil, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.randGenerator)
    call.push(size); call.push(generator); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// A random permutation of 0 ..< n from a generator.
  ///
  /// libtorch: `randperm.generator(SymInt n, *, Generator? generator, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func randperm(_ n: Int, generator: Generator?, dtype: DType? = .int64, device: Device? = nil) -> Tensor {
    var call = OperatorCall(Operators.randpermGenerator)
    call.push(n); call.push(generator); call.push(dtype); call.pushNone(); call.push(device); call.pushNone()
    return call.tensor()
  }

  /// Uniform integers in [low, high) from a generator.
  ///
  /// libtorch: `randint.low_generator(SymInt low, SymInt high, SymInt[] size, *, Generator? generator, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`
  public static func randint(
    _ low: Int, high: Int, size: [Int], generator: Generator?, dtype: DType? = .int64, device: Device? = nil
  ) -> Tensor {
    var call = OperatorCall(Operators.randintLowGenerator)
    call.push(low); call.push(high); call.push(size); call.push(generator); call.push(dtype); call.pushNone(); call.push(device)
    call.pushNone()
    return call.tensor()
  }

  /// Overwrites with normal noise.
  ///
  /// libtorch: `normal_(Tensor(a!) self, float mean=0, float std=1, *, Generator? generator=None) -> Tensor(a!)`
  @discardableResult
  package func normalInPlace(mean: Double = 0.0, std: Double = 1.0, generator: Generator? = nil) -> Tensor {
    var call = OperatorCall(Operators.normalInPlace)
    call.push(self); call.push(mean); call.push(std); call.push(generator)
    return call.tensor()
  }

  /// Overwrites with uniform noise.
  ///
  /// libtorch: `uniform_(Tensor(a!) self, float from=0, float to=1, *, Generator? generator=None) -> Tensor(a!)`
  @discardableResult
  package func uniformInPlace(from: Double = 0.0, to: Double = 1.0, generator: Generator? = nil) -> Tensor {
    var call = OperatorCall(Operators.uniformInPlace)
    call.push(self); call.push(from); call.push(to); call.push(generator)
    return call.tensor()
  }

  /// self + alpha · other, broadcast.
  ///
  /// libtorch: `add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`
  public func adding(_ other: Tensor, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.addTensor)
    call.push(self); call.push(other); call.push(alpha)
    return call.tensor()
  }

  /// self + alpha · other.
  ///
  /// libtorch: `add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor`
  public func adding(_ other: Scalar, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.addScalar)
    call.push(self); call.push(other); call.push(alpha)
    return call.tensor()
  }

  /// self − alpha · other, broadcast.
  ///
  /// libtorch: `sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`
  public func subtracting(_ other: Tensor, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.subTensor)
    call.push(self); call.push(other); call.push(alpha)
    return call.tensor()
  }

  /// self − alpha · other.
  ///
  /// libtorch: `sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor`
  public func subtracting(_ other: Scalar, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.subScalar)
    call.push(self); call.push(other); call.push(alpha)
    return call.tensor()
  }

  /// other − alpha · self.
  ///
  /// libtorch: `rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor`
  public func subtracted(_ other: Scalar, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.rsubScalar)
    call.push(self); call.push(other); call.push(alpha)
    return call.tensor()
  }

  /// Product, broadcast.
  ///
  /// libtorch: `mul.Tensor(Tensor self, Tensor other) -> Tensor`
  public func multiplied(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.mulTensor)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Product with a number.
  ///
  /// libtorch: `mul.Scalar(Tensor self, Scalar other) -> Tensor`
  public func multiplied(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.mulScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Quotient, broadcast.
  ///
  /// libtorch: `div.Tensor(Tensor self, Tensor other) -> Tensor`
  public func divided(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.divTensor)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Quotient by a number.
  ///
  /// libtorch: `div.Scalar(Tensor self, Scalar other) -> Tensor`
  public func divided(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.divScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// self + value · tensor1 · tensor2.
  ///
  /// libtorch: `addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor`
  public func addcmul(_ tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.addcmul)
    call.push(self); call.push(tensor1); call.push(tensor2); call.push(value)
    return call.tensor()
  }

  /// self + value · tensor1 / tensor2.
  ///
  /// libtorch: `addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor`
  public func addcdiv(_ tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.addcdiv)
    call.push(self); call.push(tensor1); call.push(tensor2); call.push(value)
    return call.tensor()
  }

  /// self + weight · (end − self).
  ///
  /// libtorch: `lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor`
  public func lerp(_ end: Tensor, weight: Scalar) -> Tensor {
    var call = OperatorCall(Operators.lerpScalar)
    call.push(self); call.push(end); call.push(weight)
    return call.tensor()
  }

  /// self + weight · (end − self), elementwise weight.
  ///
  /// libtorch: `lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor`
  public func lerp(_ end: Tensor, weight: Tensor) -> Tensor {
    var call = OperatorCall(Operators.lerpTensor)
    call.push(self); call.push(end); call.push(weight)
    return call.tensor()
  }

  /// −self.
  ///
  /// libtorch: `neg(Tensor self) -> Tensor`
  public func negated() -> Tensor {
    var call = OperatorCall(Operators.neg)
    call.push(self)
    return call.tensor()
  }

  /// Absolute value.
  ///
  /// libtorch: `abs(Tensor self) -> Tensor`
  public func abs() -> Tensor {
    var call = OperatorCall(Operators.abs)
    call.push(self)
    return call.tensor()
  }

  /// −1, 0 or 1.
  ///
  /// libtorch: `sign(Tensor self) -> Tensor`
  public func sign() -> Tensor {
    var call = OperatorCall(Operators.sign)
    call.push(self)
    return call.tensor()
  }

  /// Exponential.
  ///
  /// libtorch: `exp(Tensor self) -> Tensor`
  public func exp() -> Tensor {
    var call = OperatorCall(Operators.exp)
    call.push(self)
    return call.tensor()
  }

  /// exp(x) − 1.
  ///
  /// libtorch: `expm1(Tensor self) -> Tensor`
  public func expm1() -> Tensor {
    var call = OperatorCall(Operators.expm1)
    call.push(self)
    return call.tensor()
  }

  /// Natural logarithm.
  ///
  /// libtorch: `log(Tensor self) -> Tensor`
  public func log() -> Tensor {
    var call = OperatorCall(Operators.log)
    call.push(self)
    return call.tensor()
  }

  /// log(1 + x).
  ///
  /// libtorch: `log1p(Tensor self) -> Tensor`
  public func log1p() -> Tensor {
    var call = OperatorCall(Operators.log1p)
    call.push(self)
    return call.tensor()
  }

  /// Square root.
  ///
  /// libtorch: `sqrt(Tensor self) -> Tensor`
  public func sqrt() -> Tensor {
    var call = OperatorCall(Operators.sqrt)
    call.push(self)
    return call.tensor()
  }

  /// 1/√x.
  ///
  /// libtorch: `rsqrt(Tensor self) -> Tensor`
  public func rsqrt() -> Tensor {
    var call = OperatorCall(Operators.rsqrt)
    call.push(self)
    return call.tensor()
  }

  /// x².
  ///
  /// libtorch: `square(Tensor self) -> Tensor`
  public func square() -> Tensor {
    var call = OperatorCall(Operators.square)
    call.push(self)
    return call.tensor()
  }

  /// x to the power of a number.
  ///
  /// libtorch: `pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor`
  public func pow(_ exponent: Scalar) -> Tensor {
    var call = OperatorCall(Operators.powTensorScalar)
    call.push(self); call.push(exponent)
    return call.tensor()
  }

  /// 1/x.
  ///
  /// libtorch: `reciprocal(Tensor self) -> Tensor`
  public func reciprocal() -> Tensor {
    var call = OperatorCall(Operators.reciprocal)
    call.push(self)
    return call.tensor()
  }

  /// Sine.
  ///
  /// libtorch: `sin(Tensor self) -> Tensor`
  public func sin() -> Tensor {
    var call = OperatorCall(Operators.sin)
    call.push(self)
    return call.tensor()
  }

  /// Cosine.
  ///
  /// libtorch: `cos(Tensor self) -> Tensor`
  public func cos() -> Tensor {
    var call = OperatorCall(Operators.cos)
    call.push(self)
    return call.tensor()
  }

  /// Hyperbolic tangent.
  ///
  /// libtorch: `tanh(Tensor self) -> Tensor`
  public func tanh() -> Tensor {
    var call = OperatorCall(Operators.tanh)
    call.push(self)
    return call.tensor()
  }

  /// 1/(1 + exp(−x)).
  ///
  /// libtorch: `sigmoid(Tensor self) -> Tensor`
  public func sigmoid() -> Tensor {
    var call = OperatorCall(Operators.sigmoid)
    call.push(self)
    return call.tensor()
  }

  /// Error function.
  ///
  /// libtorch: `erf(Tensor self) -> Tensor`
  public func erf() -> Tensor {
    var call = OperatorCall(Operators.erf)
    call.push(self)
    return call.tensor()
  }

  /// max(x, 0).
  ///
  /// libtorch: `relu(Tensor self) -> Tensor`
  public func relu() -> Tensor {
    var call = OperatorCall(Operators.relu)
    call.push(self)
    return call.tensor()
  }

  /// x where positive, else slope · x.
  ///
  /// libtorch: `leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor`
  public func leakyReLU(negativeSlope: Scalar = 0.01) -> Tensor {
    var call = OperatorCall(Operators.leakyRelu)
    call.push(self); call.push(negativeSlope)
    return call.tensor()
  }

  /// x · sigmoid(x).
  ///
  /// libtorch: `silu(Tensor self) -> Tensor`
  public func silu() -> Tensor {
    var call = OperatorCall(Operators.silu)
    call.push(self)
    return call.tensor()
  }

  /// Gaussian error linear unit; approximate is none or tanh.
  ///
  /// libtorch: `gelu(Tensor self, *, str approximate='none') -> Tensor`
  public func gelu(approximate: String = "none") -> Tensor {
    var call = OperatorCall(Operators.gelu)
    call.push(self); call.push(approximate)
    return call.tensor()
  }

  /// log(1 + exp(βx))/β.
  ///
  /// libtorch: `softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor`
  public func softplus(beta: Scalar = 1, threshold: Scalar = 20) -> Tensor {
    var call = OperatorCall(Operators.softplus)
    call.push(self); call.push(beta); call.push(threshold)
    return call.tensor()
  }

  /// To the nearest integer, ties to even.
  ///
  /// libtorch: `round(Tensor self) -> Tensor`
  public func round() -> Tensor {
    var call = OperatorCall(Operators.round)
    call.push(self)
    return call.tensor()
  }

  /// Down to an integer.
  ///
  /// libtorch: `floor(Tensor self) -> Tensor`
  public func floor() -> Tensor {
    var call = OperatorCall(Operators.floor)
    call.push(self)
    return call.tensor()
  }

  /// Up to an integer.
  ///
  /// libtorch: `ceil(Tensor self) -> Tensor`
  public func ceil() -> Tensor {
    var call = OperatorCall(Operators.ceil)
    call.push(self)
    return call.tensor()
  }

  /// Limited to [min, max].
  ///
  /// libtorch: `clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor`
  public func clamp(min: Scalar? = nil, max: Scalar? = nil) -> Tensor {
    var call = OperatorCall(Operators.clamp)
    call.push(self); call.push(min); call.push(max)
    return call.tensor()
  }

  /// Limited to elementwise bounds.
  ///
  /// libtorch: `clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor`
  public func clamp(min: Tensor? = nil, max: Tensor? = nil) -> Tensor {
    var call = OperatorCall(Operators.clampTensor)
    call.push(self); call.push(min); call.push(max)
    return call.tensor()
  }

  /// Elementwise larger value.
  ///
  /// libtorch: `maximum(Tensor self, Tensor other) -> Tensor`
  public func maximum(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.maximum)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise smaller value.
  ///
  /// libtorch: `minimum(Tensor self, Tensor other) -> Tensor`
  public func minimum(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.minimum)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Where values are neither infinite nor NaN.
  ///
  /// libtorch: `isfinite(Tensor self) -> Tensor`
  public func isFinite() -> Tensor {
    var call = OperatorCall(Operators.isfinite)
    call.push(self)
    return call.tensor()
  }

  /// Where values are NaN.
  ///
  /// libtorch: `isnan(Tensor self) -> Tensor`
  public func isNaN() -> Tensor {
    var call = OperatorCall(Operators.isnan)
    call.push(self)
    return call.tensor()
  }

  /// self where the condition (receiver) holds, else other.
  ///
  /// libtorch: `where.self(Tensor condition, Tensor self, Tensor other) -> Tensor`
  public func `where`(_ input: Tensor, other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.whereSelf)
    call.push(self); call.push(input); call.push(other)
    return call.tensor()
  }

  /// Elementwise =.
  ///
  /// libtorch: `eq.Tensor(Tensor self, Tensor other) -> Tensor`
  public func equal(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.eqTensor)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise = with a number.
  ///
  /// libtorch: `eq.Scalar(Tensor self, Scalar other) -> Tensor`
  public func equal(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.eqScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise ≠ with a number.
  ///
  /// libtorch: `ne.Scalar(Tensor self, Scalar other) -> Tensor`
  public func notEqual(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.neScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise <.
  ///
  /// libtorch: `lt.Tensor(Tensor self, Tensor other) -> Tensor`
  public func less(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.ltTensor)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise < with a number.
  ///
  /// libtorch: `lt.Scalar(Tensor self, Scalar other) -> Tensor`
  public func less(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.ltScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise ≤ with a number.
  ///
  /// libtorch: `le.Scalar(Tensor self, Scalar other) -> Tensor`
  public func lessOrEqual(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.leScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise >.
  ///
  /// libtorch: `gt.Tensor(Tensor self, Tensor other) -> Tensor`
  public func greater(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.gtTensor)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise > with a number.
  ///
  /// libtorch: `gt.Scalar(Tensor self, Scalar other) -> Tensor`
  public func greater(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.gtScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise ≥ with a number.
  ///
  /// libtorch: `ge.Scalar(Tensor self, Scalar other) -> Tensor`
  public func greaterOrEqual(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.geScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Elementwise not.
  ///
  /// libtorch: `logical_not(Tensor self) -> Tensor`
  public func logicalNot() -> Tensor {
    var call = OperatorCall(Operators.logicalNot)
    call.push(self)
    return call.tensor()
  }

  /// Elementwise and.
  ///
  /// libtorch: `logical_and(Tensor self, Tensor other) -> Tensor`
  public func logicalAnd(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.logicalAnd)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// The value where the mask holds.
  ///
  /// libtorch: `masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor`
  public func maskedFill(_ mask: Tensor, value: Scalar) -> Tensor {
    var call = OperatorCall(Operators.maskedFillScalar)
    call.push(self); call.push(mask); call.push(value)
    return call.tensor()
  }

  /// Bitwise and with a number.
  ///
  /// libtorch: `bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor`
  public func bitwiseAnd(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.bitwiseAndScalar)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Overwrites with the values of src, converted.
  ///
  /// libtorch: `copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)`
  @discardableResult
  package func copyInPlace(_ src: Tensor, nonBlocking: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.copyInPlace)
    call.push(self); call.push(src); call.push(nonBlocking)
    return call.tensor()
  }

  /// Overwrites with one value.
  ///
  /// libtorch: `fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)`
  @discardableResult
  package func fillInPlace(_ value: Scalar) -> Tensor {
    var call = OperatorCall(Operators.fillScalarInPlace)
    call.push(self); call.push(value)
    return call.tensor()
  }

  /// Overwrites with zeros.
  ///
  /// libtorch: `zero_(Tensor(a!) self) -> Tensor(a!)`
  @discardableResult
  package func zeroInPlace() -> Tensor {
    var call = OperatorCall(Operators.zeroInPlace)
    call.push(self)
    return call.tensor()
  }

  /// self += alpha · other.
  ///
  /// libtorch: `add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)`
  @discardableResult
  package func addInPlace(_ other: Tensor, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.addTensorInPlace)
    call.push(self); call.push(other); call.push(alpha)
    return call.tensor()
  }

  /// self *= a number.
  ///
  /// libtorch: `mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)`
  @discardableResult
  package func multiplyInPlace(_ other: Scalar) -> Tensor {
    var call = OperatorCall(Operators.mulScalarInPlace)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// self += weight · (end − self).
  ///
  /// libtorch: `lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)`
  @discardableResult
  package func lerpInPlace(_ end: Tensor, weight: Scalar) -> Tensor {
    var call = OperatorCall(Operators.lerpScalarInPlace)
    call.push(self); call.push(end); call.push(weight)
    return call.tensor()
  }

  /// Sum of all elements.
  ///
  /// libtorch: `sum(Tensor self, *, ScalarType? dtype=None) -> Tensor`
  public func sum(dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.sum)
    call.push(self); call.push(dtype)
    return call.tensor()
  }

  /// Sum along dimensions.
  ///
  /// libtorch: `sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor`
  public func sum(_ dim: [Int]?, keepdim: Bool = false, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.sumDimIntList)
    call.push(self); call.push(dim); call.push(keepdim); call.push(dtype)
    return call.tensor()
  }

  /// Mean of all elements.
  ///
  /// libtorch: `mean(Tensor self, *, ScalarType? dtype=None) -> Tensor`
  public func mean(dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.mean)
    call.push(self); call.push(dtype)
    return call.tensor()
  }

  /// Mean along dimensions.
  ///
  /// libtorch: `mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor`
  public func mean(_ dim: [Int]?, keepdim: Bool = false, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.meanDim)
    call.push(self); call.push(dim); call.push(keepdim); call.push(dtype)
    return call.tensor()
  }

  /// Variance along dimensions; correction 1 divides by n − 1.
  ///
  /// libtorch: `var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor`
  public func variance(dim: [Int]? = nil, correction: Scalar? = nil, keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.varCorrection)
    call.push(self); call.push(dim); call.push(correction); call.push(keepdim)
    return call.tensor()
  }

  /// Standard deviation along dimensions; correction 1 divides by n − 1.
  ///
  /// libtorch: `std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor`
  public func standardDeviation(dim: [Int]? = nil, correction: Scalar? = nil, keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.stdCorrection)
    call.push(self); call.push(dim); call.push(correction); call.push(keepdim)
    return call.tensor()
  }

  /// Largest value along dimensions.
  ///
  /// libtorch: `amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor`
  public func amax(_ dim: [Int] = [], keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.amax)
    call.push(self); call.push(dim); call.push(keepdim)
    return call.tensor()
  }

  /// Smallest value along dimensions.
  ///
  /// libtorch: `amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor`
  public func amin(_ dim: [Int] = [], keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.amin)
    call.push(self); call.push(dim); call.push(keepdim)
    return call.tensor()
  }

  /// Largest element.
  ///
  /// libtorch: `max(Tensor self) -> Tensor`
  public func max() -> Tensor {
    var call = OperatorCall(Operators.max)
    call.push(self)
    return call.tensor()
  }

  /// Smallest element.
  ///
  /// libtorch: `min(Tensor self) -> Tensor`
  public func min() -> Tensor {
    var call = OperatorCall(Operators.min)
    call.push(self)
    return call.tensor()
  }

  /// Index of the largest value.
  ///
  /// libtorch: `argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor`
  public func argmax(_ dim: Int? = nil, keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.argmax)
    call.push(self); call.push(dim); call.push(keepdim)
    return call.tensor()
  }

  /// Whether all elements hold.
  ///
  /// libtorch: `all(Tensor self) -> Tensor`
  public func all() -> Tensor {
    var call = OperatorCall(Operators.all)
    call.push(self)
    return call.tensor()
  }

  /// Whether any element holds.
  ///
  /// libtorch: `any(Tensor self) -> Tensor`
  public func any() -> Tensor {
    var call = OperatorCall(Operators.any)
    call.push(self)
    return call.tensor()
  }

  /// Running sum.
  ///
  /// libtorch: `cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor`
  public func cumsum(_ dim: Int, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.cumsum)
    call.push(self); call.push(dim); call.push(dtype)
    return call.tensor()
  }

  /// Running product.
  ///
  /// libtorch: `cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor`
  public func cumprod(_ dim: Int, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.cumprod)
    call.push(self); call.push(dim); call.push(dtype)
    return call.tensor()
  }

  /// p-norm along dimensions.
  ///
  /// libtorch: `norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor`
  public func norm(p: Scalar?, dim: [Int], keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.normScalarOptDim)
    call.push(self); call.push(p); call.push(dim); call.push(keepdim)
    return call.tensor()
  }

  /// Vector norm, over all elements or along dimensions.
  ///
  /// libtorch: `linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor`
  public func vectorNorm(ord: Scalar = 2, dim: [Int]? = nil, keepdim: Bool = false, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.linalgVectorNorm)
    call.push(self); call.push(ord); call.push(dim); call.push(keepdim); call.push(dtype)
    return call.tensor()
  }

  /// Quantile along a dimension, linear interpolation.
  ///
  /// libtorch: `quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor`
  public func quantile(_ q: Tensor, dim: Int? = nil, keepdim: Bool = false, interpolation: String = "linear") -> Tensor {
    var call = OperatorCall(Operators.quantile)
    call.push(self); call.push(q); call.push(dim); call.push(keepdim); call.push(interpolation)
    return call.tensor()
  }

  /// The k largest (or smallest) values and their indices.
  ///
  /// libtorch: `topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)`
  public func topK(_ k: Int, dim: Int = -1, largest: Bool = true, sorted: Bool = true) -> (Tensor, Tensor) {
    var call = OperatorCall(Operators.topk)
    call.push(self); call.push(k); call.push(dim); call.push(largest); call.push(sorted)
    return call.tensors2()
  }

  /// Sorted values and their indices.
  ///
  /// libtorch: `sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)`
  public func sort(_ dim: Int = -1, descending: Bool = false) -> (Tensor, Tensor) {
    var call = OperatorCall(Operators.sort)
    call.push(self); call.push(dim); call.push(descending)
    return call.tensors2()
  }

  /// Indices that sort.
  ///
  /// libtorch: `argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor`
  public func argsort(_ dim: Int = -1, descending: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.argsort)
    call.push(self); call.push(dim); call.push(descending)
    return call.tensor()
  }

  /// How often each non-negative integer occurs.
  ///
  /// libtorch: `bincount(Tensor self, Tensor? weights=None, SymInt minlength=0) -> Tensor`
  public func bincount(weights: Tensor? = nil, minlength: Int = 0) -> Tensor {
    var call = OperatorCall(Operators.bincount)
    call.push(self); call.push(weights); call.push(minlength)
    return call.tensor()
  }

  /// log Σ exp along dimensions.
  ///
  /// libtorch: `logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor`
  public func logSumExp(_ dim: [Int], keepdim: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.logsumexp)
    call.push(self); call.push(dim); call.push(keepdim)
    return call.tensor()
  }

  /// Softmax along a dimension.
  ///
  /// libtorch: `softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor`
  public func softmax(_ dim: Int, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.softmaxInt)
    call.push(self); call.push(dim); call.push(dtype)
    return call.tensor()
  }

  /// Logarithm of the softmax along a dimension.
  ///
  /// libtorch: `log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor`
  public func logSoftmax(_ dim: Int, dtype: DType? = nil) -> Tensor {
    var call = OperatorCall(Operators.logSoftmaxInt)
    call.push(self); call.push(dim); call.push(dtype)
    return call.tensor()
  }

  /// Matrix product, batched and broadcast.
  ///
  /// libtorch: `matmul(Tensor self, Tensor other) -> Tensor`
  public func matmul(_ other: Tensor) -> Tensor {
    var call = OperatorCall(Operators.matmul)
    call.push(self); call.push(other)
    return call.tensor()
  }

  /// Product of two matrices.
  ///
  /// libtorch: `mm(Tensor self, Tensor mat2) -> Tensor`
  public func mm(_ mat2: Tensor) -> Tensor {
    var call = OperatorCall(Operators.mm)
    call.push(self); call.push(mat2)
    return call.tensor()
  }

  /// Batched product of matrices.
  ///
  /// libtorch: `bmm(Tensor self, Tensor mat2) -> Tensor`
  public func bmm(_ mat2: Tensor) -> Tensor {
    var call = OperatorCall(Operators.bmm)
    call.push(self); call.push(mat2)
    return call.tensor()
  }

  /// beta · self + alpha · mat1 · mat2.
  ///
  /// libtorch: `addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor`
  public func addmm(_ mat1: Tensor, mat2: Tensor, beta: Scalar = 1, alpha: Scalar = 1) -> Tensor {
    var call = OperatorCall(Operators.addmm)
    call.push(self); call.push(mat1); call.push(mat2); call.push(beta); call.push(alpha)
    return call.tensor()
  }

  /// x · weightᵀ + bias.
  ///
  /// libtorch: `linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor`
  public func linear(_ weight: Tensor, bias: Tensor? = nil) -> Tensor {
    var call = OperatorCall(Operators.linear)
    call.push(self); call.push(weight); call.push(bias)
    return call.tensor()
  }

  /// Sum of products in index notation.
  ///
  /// libtorch: `einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor`
  public static func einsum(_ equation: String, tensors: [Tensor], path: [Int]? = nil) -> Tensor {
    var call = OperatorCall(Operators.einsum)
    call.push(equation); call.push(tensors); call.push(path)
    return call.tensor()
  }

  /// Eigenvalues (rising) and eigenvectors of symmetric matrices.
  ///
  /// libtorch: `linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)`
  public func eigh(UPLO: String = "L") -> (Tensor, Tensor) {
    var call = OperatorCall(Operators.linalgEigh)
    call.push(self); call.push(UPLO)
    return call.tensors2()
  }

  /// Singular value decomposition U, S, Vᵀ.
  ///
  /// libtorch: `linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)`
  public static func svd(_ A: Tensor, fullMatrices: Bool = true, driver: String? = nil) -> (Tensor, Tensor, Tensor) {
    var call = OperatorCall(Operators.linalgSvd)
    call.push(A); call.push(fullMatrices); call.push(driver)
    return call.tensors3()
  }

  /// X with A·X = B.
  ///
  /// libtorch: `linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor`
  public static func solve(_ A: Tensor, B: Tensor, left: Bool = true) -> Tensor {
    var call = OperatorCall(Operators.linalgSolve)
    call.push(A); call.push(B); call.push(left)
    return call.tensor()
  }

  /// Inverse matrix.
  ///
  /// libtorch: `linalg_inv(Tensor A) -> Tensor`
  public static func inverse(_ A: Tensor) -> Tensor {
    var call = OperatorCall(Operators.linalgInv)
    call.push(A)
    return call.tensor()
  }

  /// QR decomposition.
  ///
  /// libtorch: `linalg_qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)`
  public static func qr(_ A: Tensor, mode: String = "reduced") -> (Tensor, Tensor) {
    var call = OperatorCall(Operators.linalgQr)
    call.push(A); call.push(mode)
    return call.tensors2()
  }

  /// Sum of the diagonal.
  ///
  /// libtorch: `trace(Tensor self) -> Tensor`
  public func trace() -> Tensor {
    var call = OperatorCall(Operators.trace)
    call.push(self)
    return call.tensor()
  }

  /// The diagonal as a view.
  ///
  /// libtorch: `diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)`
  public func diagonal(offset: Int = 0, dim1: Int = 0, dim2: Int = 1) -> Tensor {
    var call = OperatorCall(Operators.diagonal)
    call.push(self); call.push(offset); call.push(dim1); call.push(dim2)
    return call.tensor()
  }

  /// Outer product of two vectors.
  ///
  /// libtorch: `outer(Tensor self, Tensor vec2) -> Tensor`
  public func outer(_ vec2: Tensor) -> Tensor {
    var call = OperatorCall(Operators.outer)
    call.push(self); call.push(vec2)
    return call.tensor()
  }

  /// Distances between rows.
  ///
  /// libtorch: `cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None) -> Tensor`
  public func cdist(_ x2: Tensor, p: Double = 2.0, computeMode: Int? = nil) -> Tensor {
    var call = OperatorCall(Operators.cdist)
    call.push(self); call.push(x2); call.push(p); call.push(computeMode)
    return call.tensor()
  }

  /// The same memory in another shape.
  ///
  /// libtorch: `view(Tensor(a) self, SymInt[] size) -> Tensor(a)`
  public func view(_ size: [Int]) -> Tensor {
    var call = OperatorCall(Operators.view)
    call.push(self); call.push(size)
    return call.tensor()
  }

  /// Another shape, copying only where needed.
  ///
  /// libtorch: `reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)`
  public func reshape(_ shape: [Int]) -> Tensor {
    var call = OperatorCall(Operators.reshape)
    call.push(self); call.push(shape)
    return call.tensor()
  }

  /// Dimensions in another order (a view).
  ///
  /// libtorch: `permute(Tensor(a) self, int[] dims) -> Tensor(a)`
  public func permute(_ dims: [Int]) -> Tensor {
    var call = OperatorCall(Operators.permute)
    call.push(self); call.push(dims)
    return call.tensor()
  }

  /// Two dimensions swapped (a view).
  ///
  /// libtorch: `transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)`
  public func transpose(_ dim0: Int, dim1: Int) -> Tensor {
    var call = OperatorCall(Operators.transposeInt)
    call.push(self); call.push(dim0); call.push(dim1)
    return call.tensor()
  }

  /// Row-major (or channels-last) copy unless it already is.
  ///
  /// libtorch: `contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)`
  public func contiguous(memoryFormat: MemoryFormat = .contiguous) -> Tensor {
    var call = OperatorCall(Operators.contiguous)
    call.push(self); call.push(memoryFormat)
    return call.tensor()
  }

  /// A copy.
  ///
  /// libtorch: `clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor`
  public func clone(memoryFormat: MemoryFormat? = nil) -> Tensor {
    var call = OperatorCall(Operators.clone)
    call.push(self); call.push(memoryFormat)
    return call.tensor()
  }

  /// The same memory without history.
  ///
  /// libtorch: `detach(Tensor(a) self) -> Tensor(a)`
  public func detach() -> Tensor {
    var call = OperatorCall(Operators.detach)
    call.push(self)
    return call.tensor()
  }

  /// Size-1 dimensions repeated without copying.
  ///
  /// libtorch: `expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)`
  public func expand(_ size: [Int], implicit: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.expand)
    call.push(self); call.push(size); call.push(implicit)
    return call.tensor()
  }

  /// Copies along each dimension.
  ///
  /// libtorch: `repeat(Tensor self, SymInt[] repeats) -> Tensor`
  public func repeated(_ repeats: [Int]) -> Tensor {
    var call = OperatorCall(Operators.repeatOperator)
    call.push(self); call.push(repeats)
    return call.tensor()
  }

  /// Each element repeated in place.
  ///
  /// libtorch: `repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor`
  public func repeatInterleave(_ repeats: Int, dim: Int? = nil, outputSize: Int? = nil) -> Tensor {
    var call = OperatorCall(Operators.repeatInterleaveSelfInt)
    call.push(self); call.push(repeats); call.push(dim); call.push(outputSize)
    return call.tensor()
  }

  /// Without this dimension of size 1.
  ///
  /// libtorch: `squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)`
  public func squeeze(_ dim: Int) -> Tensor {
    var call = OperatorCall(Operators.squeezeDim)
    call.push(self); call.push(dim)
    return call.tensor()
  }

  /// With a new dimension of size 1.
  ///
  /// libtorch: `unsqueeze(Tensor(a) self, int dim) -> Tensor(a)`
  public func unsqueeze(_ dim: Int) -> Tensor {
    var call = OperatorCall(Operators.unsqueeze)
    call.push(self); call.push(dim)
    return call.tensor()
  }

  /// Dimensions merged into one.
  ///
  /// libtorch: `flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)`
  public func flatten(startDim: Int = 0, endDim: Int = -1) -> Tensor {
    var call = OperatorCall(Operators.flattenUsingInts)
    call.push(self); call.push(startDim); call.push(endDim)
    return call.tensor()
  }

  /// One dimension split into several.
  ///
  /// libtorch: `unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)`
  public func unflatten(_ dim: Int, sizes: [Int]) -> Tensor {
    var call = OperatorCall(Operators.unflattenInt)
    call.push(self); call.push(dim); call.push(sizes)
    return call.tensor()
  }

  /// Joined along a dimension.
  ///
  /// libtorch: `cat(Tensor[] tensors, int dim=0) -> Tensor`
  public static func cat(_ tensors: [Tensor], dim: Int = 0) -> Tensor {
    var call = OperatorCall(Operators.cat)
    call.push(tensors); call.push(dim)
    return call.tensor()
  }

  /// Joined along a new dimension.
  ///
  /// libtorch: `stack(Tensor[] tensors, int dim=0) -> Tensor`
  public static func stack(_ tensors: [Tensor], dim: Int = 0) -> Tensor {
    var call = OperatorCall(Operators.stack)
    call.push(tensors); call.push(dim)
    return call.tensor()
  }

  /// Split into nearly equal parts.
  ///
  /// libtorch: `chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]`
  package func chunkList(_ chunks: Int, dim: Int = 0) -> [Tensor] {
    var call = OperatorCall(Operators.chunk)
    call.push(self); call.push(chunks); call.push(dim)
    return call.list()
  }

  /// Split into parts of given sizes.
  ///
  /// libtorch: `split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]`
  package func splitList(_ splitSizes: [Int], dim: Int = 0) -> [Tensor] {
    var call = OperatorCall(Operators.splitWithSizes)
    call.push(self); call.push(splitSizes); call.push(dim)
    return call.list()
  }

  /// length elements from start along a dimension (a view).
  ///
  /// libtorch: `narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)`
  public func narrow(_ dim: Int, start: Int, length: Int) -> Tensor {
    var call = OperatorCall(Operators.narrow)
    call.push(self); call.push(dim); call.push(start); call.push(length)
    return call.tensor()
  }

  /// start ..< end by step along a dimension (a view).
  ///
  /// libtorch: `slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)`
  public func slice(_ dim: Int = 0, start: Int? = nil, end: Int? = nil, step: Int = 1) -> Tensor {
    var call = OperatorCall(Operators.sliceTensor)
    call.push(self); call.push(dim); call.push(start); call.push(end); call.push(step)
    return call.tensor()
  }

  /// One index along a dimension, which disappears (a view).
  ///
  /// libtorch: `select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)`
  public func select(_ dim: Int, index: Int) -> Tensor {
    var call = OperatorCall(Operators.selectInt)
    call.push(self); call.push(dim); call.push(index)
    return call.tensor()
  }

  /// Chosen indices along a dimension.
  ///
  /// libtorch: `index_select(Tensor self, int dim, Tensor index) -> Tensor`
  public func indexSelect(_ dim: Int, index: Tensor) -> Tensor {
    var call = OperatorCall(Operators.indexSelect)
    call.push(self); call.push(dim); call.push(index)
    return call.tensor()
  }

  /// Writes source at chosen indices.
  ///
  /// libtorch: `index_copy_(Tensor(a!) self, int dim, Tensor index, Tensor source) -> Tensor(a!)`
  @discardableResult
  package func indexCopyInPlace(_ dim: Int, index: Tensor, source: Tensor) -> Tensor {
    var call = OperatorCall(Operators.indexCopyInPlace)
    call.push(self); call.push(dim); call.push(index); call.push(source)
    return call.tensor()
  }

  /// Elements chosen by an index tensor along a dimension.
  ///
  /// libtorch: `gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor`
  public func gather(_ dim: Int, index: Tensor, sparseGrad: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.gather)
    call.push(self); call.push(dim); call.push(index); call.push(sparseGrad)
    return call.tensor()
  }

  /// With elements replaced where an index tensor points along a dimension.
  ///
  /// libtorch: `scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor`
  public func scattered(_ dim: Int, index: Tensor, src: Tensor) -> Tensor {
    var call = OperatorCall(Operators.scatterSrc)
    call.push(self); call.push(dim); call.push(index); call.push(src)
    return call.tensor()
  }

  /// Reversed along dimensions.
  ///
  /// libtorch: `flip(Tensor self, int[] dims) -> Tensor`
  public func flip(_ dims: [Int]) -> Tensor {
    var call = OperatorCall(Operators.flip)
    call.push(self); call.push(dims)
    return call.tensor()
  }

  /// Rotated along dimensions.
  ///
  /// libtorch: `roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor`
  public func roll(_ shifts: [Int], dims: [Int] = []) -> Tensor {
    var call = OperatorCall(Operators.roll)
    call.push(self); call.push(shifts); call.push(dims)
    return call.tensor()
  }

  /// Lower triangle.
  ///
  /// libtorch: `tril(Tensor self, SymInt diagonal=0) -> Tensor`
  public func tril(diagonal: Int = 0) -> Tensor {
    var call = OperatorCall(Operators.tril)
    call.push(self); call.push(diagonal)
    return call.tensor()
  }

  /// Upper triangle.
  ///
  /// libtorch: `triu(Tensor self, SymInt diagonal=0) -> Tensor`
  public func triu(diagonal: Int = 0) -> Tensor {
    var call = OperatorCall(Operators.triu)
    call.push(self); call.push(diagonal)
    return call.tensor()
  }

  /// [B, C·r², H, W] to [B, C, H·r, W·r].
  ///
  /// libtorch: `pixel_shuffle(Tensor self, int upscale_factor) -> Tensor`
  public func pixelShuffle(_ upscaleFactor: Int) -> Tensor {
    var call = OperatorCall(Operators.pixelShuffle)
    call.push(self); call.push(upscaleFactor)
    return call.tensor()
  }

  /// [B, C, H·r, W·r] to [B, C·r², H, W].
  ///
  /// libtorch: `pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor`
  public func pixelUnshuffle(_ downscaleFactor: Int) -> Tensor {
    var call = OperatorCall(Operators.pixelUnshuffle)
    call.push(self); call.push(downscaleFactor)
    return call.tensor()
  }

  /// Integer classes as rows of 0 and 1.
  ///
  /// libtorch: `one_hot(Tensor self, int num_classes=-1) -> Tensor`
  public func oneHot(numClasses: Int = -1) -> Tensor {
    var call = OperatorCall(Operators.oneHot)
    call.push(self); call.push(numClasses)
    return call.tensor()
  }

  /// Converted copy.
  ///
  /// libtorch: `_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor`
  package func toCopy(dtype: DType? = nil, device: Device? = nil, memoryFormat: MemoryFormat? = nil) -> Tensor {
    var call = OperatorCall(Operators.toCopy)
    call.push(self); call.push(dtype); call.pushNone(); call.push(device); call.pushNone(); call.push(false); call.push(memoryFormat)
    return call.tensor()
  }

  /// Rows of weight (receiver) chosen by integer indices.
  ///
  /// libtorch: `embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor`
  public func embedding(_ indices: Tensor, paddingIdx: Int = -1, scaleGradByFreq: Bool = false, sparse: Bool = false) -> Tensor {
    var call = OperatorCall(Operators.embedding)
    call.push(self); call.push(indices); call.push(paddingIdx); call.push(scaleGradByFreq); call.push(sparse)
    return call.tensor()
  }

  /// Layer normalisation.
  ///
  /// libtorch: `layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor`
  public func layerNorm(
    _ normalizedShape: [Int], weight: Tensor? = nil, bias: Tensor? = nil, eps: Double = 1e-05, cudnnEnable: Bool = true
  ) -> Tensor {
    var call = OperatorCall(Operators.layerNorm)
    call.push(self); call.push(normalizedShape); call.push(weight); call.push(bias); call.push(eps); call.push(cudnnEnable)
    return call.tensor()
  }

  /// Root-mean-square normalisation.
  ///
  /// libtorch: `rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor`
  public func rmsNorm(_ normalizedShape: [Int], weight: Tensor? = nil, eps: Double? = nil) -> Tensor {
    var call = OperatorCall(Operators.rmsNorm)
    call.push(self); call.push(normalizedShape); call.push(weight); call.push(eps)
    return call.tensor()
  }

  /// Group normalisation.
  ///
  /// libtorch: `group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor`
  public func groupNorm(
    _ numGroups: Int, weight: Tensor? = nil, bias: Tensor? = nil, eps: Double = 1e-05, cudnnEnabled: Bool = true
  ) -> Tensor {
    var call = OperatorCall(Operators.groupNorm)
    call.push(self); call.push(numGroups); call.push(weight); call.push(bias); call.push(eps); call.push(cudnnEnabled)
    return call.tensor()
  }

  /// Batch normalisation.
  ///
  /// libtorch: `batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor`
  public func batchNorm(
    weight: Tensor?, bias: Tensor?, runningMean: Tensor?, runningVar: Tensor?, training: Bool, momentum: Double, eps: Double,
    cudnnEnabled: Bool
  ) -> Tensor {
    var call = OperatorCall(Operators.batchNorm)
    call.push(self); call.push(weight); call.push(bias); call.push(runningMean); call.push(runningVar); call.push(training)
    call.push(momentum); call.push(eps); call.push(cudnnEnabled)
    return call.tensor()
  }

  /// 1-D convolution.
  ///
  /// libtorch: `conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1) -> Tensor`
  public func conv1d(
    _ weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1], padding: [Int] = [0], dilation: [Int] = [1], groups: Int = 1
  ) -> Tensor {
    var call = OperatorCall(Operators.conv1d)
    call.push(self); call.push(weight); call.push(bias); call.push(stride); call.push(padding); call.push(dilation); call.push(groups)
    return call.tensor()
  }

  /// 2-D convolution.
  ///
  /// libtorch: `conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] dilation=1, SymInt groups=1) -> Tensor`
  public func conv2d(
    _ weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1], padding: [Int] = [0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) -> Tensor {
    var call = OperatorCall(Operators.conv2d)
    call.push(self); call.push(weight); call.push(bias); call.push(stride); call.push(padding); call.push(dilation); call.push(groups)
    return call.tensor()
  }

  /// Transposed 2-D convolution.
  ///
  /// libtorch: `conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] output_padding=0, SymInt groups=1, SymInt[2] dilation=1) -> Tensor`
  public func convTranspose2d(
    _ weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1], padding: [Int] = [0, 0], outputPadding: [Int] = [0, 0], groups: Int = 1,
    dilation: [Int] = [1, 1]
  ) -> Tensor {
    var call = OperatorCall(Operators.convTranspose2dInput)
    call.push(self); call.push(weight); call.push(bias); call.push(stride); call.push(padding); call.push(outputPadding)
    call.push(groups); call.push(dilation)
    return call.tensor()
  }

  /// Largest value of each window.
  ///
  /// libtorch: `max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor`
  public func maxPool2d(
    _ kernelSize: [Int], stride: [Int] = [], padding: [Int] = [0, 0], dilation: [Int] = [1, 1], ceilMode: Bool = false
  ) -> Tensor {
    var call = OperatorCall(Operators.maxPool2d)
    call.push(self); call.push(kernelSize); call.push(stride); call.push(padding); call.push(dilation); call.push(ceilMode)
    return call.tensor()
  }

  /// Mean of each window.
  ///
  /// libtorch: `avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor`
  public func avgPool2d(
    _ kernelSize: [Int], stride: [Int] = [], padding: [Int] = [0, 0], ceilMode: Bool = false, countIncludePad: Bool = true,
    divisorOverride: Int? = nil
  ) -> Tensor {
    var call = OperatorCall(Operators.avgPool2d)
    call.push(self); call.push(kernelSize); call.push(stride); call.push(padding); call.push(ceilMode); call.push(countIncludePad)
    call.push(divisorOverride)
    return call.tensor()
  }

  /// Mean over windows that give the asked size.
  ///
  /// libtorch: `adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor`
  public func adaptiveAvgPool2d(_ outputSize: [Int]) -> Tensor {
    var call = OperatorCall(Operators.adaptiveAvgPool2d)
    call.push(self); call.push(outputSize)
    return call.tensor()
  }

  /// Nearest-neighbour resize to a size.
  ///
  /// libtorch: `upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor`
  public func upsampleNearest2d(_ outputSize: [Int], scalesH: Double? = nil, scalesW: Double? = nil) -> Tensor {
    var call = OperatorCall(Operators.upsampleNearest2d)
    call.push(self); call.push(outputSize); call.push(scalesH); call.push(scalesW)
    return call.tensor()
  }

  /// Bilinear resize to a size.
  ///
  /// libtorch: `upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor`
  public func upsampleBilinear2d(_ outputSize: [Int], alignCorners: Bool, scalesH: Double? = nil, scalesW: Double? = nil) -> Tensor {
    var call = OperatorCall(Operators.upsampleBilinear2d)
    call.push(self); call.push(outputSize); call.push(alignCorners); call.push(scalesH); call.push(scalesW)
    return call.tensor()
  }

  /// Bicubic resize to a size.
  ///
  /// libtorch: `upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor`
  public func upsampleBicubic2d(_ outputSize: [Int], alignCorners: Bool, scalesH: Double? = nil, scalesW: Double? = nil) -> Tensor {
    var call = OperatorCall(Operators.upsampleBicubic2d)
    call.push(self); call.push(outputSize); call.push(alignCorners); call.push(scalesH); call.push(scalesW)
    return call.tensor()
  }

  /// Padded with a constant; pairs from the last dimension backwards.
  ///
  /// libtorch: `constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor`
  public func pad(_ pad: [Int], value: Scalar = 0) -> Tensor {
    var call = OperatorCall(Operators.constantPadNd)
    call.push(self); call.push(pad); call.push(value)
    return call.tensor()
  }

  /// Sliding windows along a dimension.
  ///
  /// libtorch: `unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)`
  public func unfold(_ dimension: Int, size: Int, step: Int) -> Tensor {
    var call = OperatorCall(Operators.unfold)
    call.push(self); call.push(dimension); call.push(size); call.push(step)
    return call.tensor()
  }

  /// softmax(QKᵀ·scale + mask)·V.
  ///
  /// libtorch: `scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor`
  public func scaledDotProductAttention(
    _ key: Tensor, value: Tensor, attnMask: Tensor? = nil, dropoutP: Double = 0.0, isCausal: Bool = false, scale: Double? = nil,
    enableGqa: Bool = false
  ) -> Tensor {
    var call = OperatorCall(Operators.scaledDotProductAttention)
    call.push(self); call.push(key); call.push(value); call.push(attnMask); call.push(dropoutP); call.push(isCausal); call.push(scale)
    call.push(enableGqa)
    return call.tensor()
  }

  /// Squared error; reduction 0 none, 1 mean, 2 sum.
  ///
  /// libtorch: `mse_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor`
  public func mseLoss(_ target: Tensor, reduction: Int = 1) -> Tensor {
    var call = OperatorCall(Operators.mseLoss)
    call.push(self); call.push(target); call.push(reduction)
    return call.tensor()
  }

  /// Huber loss; reduction 0 none, 1 mean, 2 sum.
  ///
  /// libtorch: `huber_loss(Tensor self, Tensor target, int reduction=Mean, float delta=1.0) -> Tensor`
  public func huberLoss(_ target: Tensor, reduction: Int = 1, delta: Double = 1.0) -> Tensor {
    var call = OperatorCall(Operators.huberLoss)
    call.push(self); call.push(target); call.push(reduction); call.push(delta)
    return call.tensor()
  }

  /// Cross entropy of logits and classes; reduction 0 none, 1 mean, 2 sum.
  ///
  /// libtorch: `cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, SymInt ignore_index=-100, float label_smoothing=0.0) -> Tensor`
  public func crossEntropy(
    _ target: Tensor, weight: Tensor? = nil, reduction: Int = 1, ignoreIndex: Int = -100, labelSmoothing: Double = 0.0
  ) -> Tensor {
    var call = OperatorCall(Operators.crossEntropyLoss)
    call.push(self); call.push(target); call.push(weight); call.push(reduction); call.push(ignoreIndex); call.push(labelSmoothing)
    return call.tensor()
  }

  /// Zeroes elements at random while training.
  ///
  /// libtorch: `dropout(Tensor input, float p, bool train) -> Tensor`
  public static func dropout(_ input: Tensor, p: Double, train: Bool) -> Tensor {
    var call = OperatorCall(Operators.dropout)
    call.push(input); call.push(p); call.push(train)
    return call.tensor()
  }

  /// Norm of each tensor.
  ///
  /// libtorch: `_foreach_norm.Scalar(Tensor[] self, Scalar ord=2, ScalarType? dtype=None) -> Tensor[]`
  package static func foreachNorm(_ input: [Tensor], ord: Scalar = 2, dtype: DType? = nil) -> [Tensor] {
    var call = OperatorCall(Operators.foreachNormScalar)
    call.push(input); call.push(ord); call.push(dtype)
    return call.list()
  }

  /// Each tensor times a number.
  ///
  /// libtorch: `_foreach_mul_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()`
  package static func foreachMultiplyInPlace(_ input: [Tensor], scalar: Scalar) {
    var call = OperatorCall(Operators.foreachMulScalarInPlace)
    call.push(input); call.push(scalar)
    call.nothing()
  }

  /// Each tensor moved towards its partner.
  ///
  /// libtorch: `_foreach_lerp_.Scalar(Tensor(a!)[] self, Tensor[] tensors1, Scalar weight) -> ()`
  package static func foreachLerpInPlace(_ input: [Tensor], tensors1: [Tensor], weight: Scalar) {
    var call = OperatorCall(Operators.foreachLerpScalarInPlace)
    call.push(input); call.push(tensors1); call.push(weight)
    call.nothing()
  }

  /// Each tensor overwritten by its partner.
  ///
  /// libtorch: `_foreach_copy_(Tensor(a!)[] self, Tensor[] src, bool non_blocking=False) -> ()`
  package static func foreachCopyInPlace(_ input: [Tensor], src: [Tensor], nonBlocking: Bool = false) {
    var call = OperatorCall(Operators.foreachCopyInPlace)
    call.push(input); call.push(src); call.push(nonBlocking)
    call.nothing()
  }

  /// One AdamW step on many tensors.
  ///
  /// libtorch: `_fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()`
  package static func fusedAdamWInPlace(
    _ input: [Tensor], grads: [Tensor], expAvgs: [Tensor], expAvgSqs: [Tensor], maxExpAvgSqs: [Tensor], stateSteps: [Tensor], lr: Double,
    beta1: Double, beta2: Double, weightDecay: Double, eps: Double, amsgrad: Bool, maximize: Bool, gradScale: Tensor? = nil,
    foundInf: Tensor? = nil
  ) {
    var call = OperatorCall(Operators.fusedAdamwInPlace)
    call.push(input); call.push(grads); call.push(expAvgs); call.push(expAvgSqs); call.push(maxExpAvgSqs); call.push(stateSteps)
    call.push(lr); call.push(beta1); call.push(beta2); call.push(weightDecay); call.push(eps); call.push(amsgrad); call.push(maximize)
    call.push(gradScale); call.push(foundInf)
    call.nothing()
  }
}
