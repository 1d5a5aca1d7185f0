// Made by Scripts/generate_operators.py from Scripts/operators.txt and the schemas of torch 2.11.0. Do not edit.

enum Operators {
  static let emptyMemoryFormat = TorchOperator("aten::empty", "memory_format")
  static let zeros = TorchOperator("aten::zeros", "")
  static let ones = TorchOperator("aten::ones", "")
  static let full = TorchOperator("aten::full", "")
  static let arangeStartStep = TorchOperator("aten::arange", "start_step")
  static let linspace = TorchOperator("aten::linspace", "")
  static let eye = TorchOperator("aten::eye", "")
  static let zerosLike = TorchOperator("aten::zeros_like", "")
  static let onesLike = TorchOperator("aten::ones_like", "")
  static let randnGenerator = TorchOperator("aten::randn", "generator")
  static let randGenerator = TorchOperator("aten::rand", "generator")
  static let randpermGenerator = TorchOperator("aten::randperm", "generator")
  static let randintLowGenerator = TorchOperator("aten::randint", "low_generator")
  static let normalInPlace = TorchOperator("aten::normal_", "")
  static let uniformInPlace = TorchOperator("aten::uniform_", "")
  static let addTensor = TorchOperator("aten::add", "Tensor")
  static let addScalar = TorchOperator("aten::add", "Scalar")
  static let subTensor = TorchOperator("aten::sub", "Tensor")
  static let subScalar = TorchOperator("aten::sub", "Scalar")
  static let rsubScalar = TorchOperator("aten::rsub", "Scalar")
  static let mulTensor = TorchOperator("aten::mul", "Tensor")
  static let mulScalar = TorchOperator("aten::mul", "Scalar")
  static let divTensor = TorchOperator("aten::div", "Tensor")
  static let divScalar = TorchOperator("aten::div", "Scalar")
  static let addcmul = TorchOperator("aten::addcmul", "")
  static let addcdiv = TorchOperator("aten::addcdiv", "")
  static let lerpScalar = TorchOperator("aten::lerp", "Scalar")
  static let lerpTensor = TorchOperator("aten::lerp", "Tensor")
  static let neg = TorchOperator("aten::neg", "")
  static let abs = TorchOperator("aten::abs", "")
  static let sign = TorchOperator("aten::sign", "")
  static let exp = TorchOperator("aten::exp", "")
  static let expm1 = TorchOperator("aten::expm1", "")
  static let log = TorchOperator("aten::log", "")
  static let log1p = TorchOperator("aten::log1p", "")
  static let sqrt = TorchOperator("aten::sqrt", "")
  static let rsqrt = TorchOperator("aten::rsqrt", "")
  static let square = TorchOperator("aten::square", "")
  static let powTensorScalar = TorchOperator("aten::pow", "Tensor_Scalar")
  static let reciprocal = TorchOperator("aten::reciprocal", "")
  static let sin = TorchOperator("aten::sin", "")
  static let cos = TorchOperator("aten::cos", "")
  static let tanh = TorchOperator("aten::tanh", "")
  static let sigmoid = TorchOperator("aten::sigmoid", "")
  static let erf = TorchOperator("aten::erf", "")
  static let relu = TorchOperator("aten::relu", "")
  static let leakyRelu = TorchOperator("aten::leaky_relu", "")
  static let silu = TorchOperator("aten::silu", "")
  static let gelu = TorchOperator("aten::gelu", "")
  static let softplus = TorchOperator("aten::softplus", "")
  static let round = TorchOperator("aten::round", "")
  static let floor = TorchOperator("aten::floor", "")
  static let ceil = TorchOperator("aten::ceil", "")
  static let clamp = TorchOperator("aten::clamp", "")
  static let clampTensor = TorchOperator("aten::clamp", "Tensor")
  static let maximum = TorchOperator("aten::maximum", "")
  static let minimum = TorchOperator("aten::minimum", "")
  static let isfinite = TorchOperator("aten::isfinite", "")
  static let isnan = TorchOperator("aten::isnan", "")
  static let whereSelf = TorchOperator("aten::where", "self")
  static let eqTensor = TorchOperator("aten::eq", "Tensor")
  static let eqScalar = TorchOperator("aten::eq", "Scalar")
  static let neScalar = TorchOperator("aten::ne", "Scalar")
  static let ltTensor = TorchOperator("aten::lt", "Tensor")
  static let ltScalar = TorchOperator("aten::lt", "Scalar")
  static let leScalar = TorchOperator("aten::le", "Scalar")
  static let gtTensor = TorchOperator("aten::gt", "Tensor")
  static let gtScalar = TorchOperator("aten::gt", "Scalar")
  static let geScalar = TorchOperator("aten::ge", "Scalar")
  static let logicalNot = TorchOperator("aten::logical_not", "")
  static let logicalAnd = TorchOperator("aten::logical_and", "")
  static let maskedFillScalar = TorchOperator("aten::masked_fill", "Scalar")
  static let bitwiseAndScalar = TorchOperator("aten::bitwise_and", "Scalar")
  static let copyInPlace = TorchOperator("aten::copy_", "")
  static let fillScalarInPlace = TorchOperator("aten::fill_", "Scalar")
  static let zeroInPlace = TorchOperator("aten::zero_", "")
  static let addTensorInPlace = TorchOperator("aten::add_", "Tensor")
  static let mulScalarInPlace = TorchOperator("aten::mul_", "Scalar")
  static let lerpScalarInPlace = TorchOperator("aten::lerp_", "Scalar")
  static let sum = TorchOperator("aten::sum", "")
  static let sumDimIntList = TorchOperator("aten::sum", "dim_IntList")
  static let mean = TorchOperator("aten::mean", "")
  static let meanDim = TorchOperator("aten::mean", "dim")
  static let varCorrection = TorchOperator("aten::var", "correction")
  static let stdCorrection = TorchOperator("aten::std", "correction")
  static let amax = TorchOperator("aten::amax", "")
  static let amin = TorchOperator("aten::amin", "")
  static let max = TorchOperator("aten::max", "")
  static let min = TorchOperator("aten::min", "")
  static let argmax = TorchOperator("aten::argmax", "")
  static let all = TorchOperator("aten::all", "")
  static let any = TorchOperator("aten::any", "")
  static let cumsum = TorchOperator("aten::cumsum", "")
  static let cumprod = TorchOperator("aten::cumprod", "")
  static let normScalarOptDim = TorchOperator("aten::norm", "ScalarOpt_dim")
  static let linalgVectorNorm = TorchOperator("aten::linalg_vector_norm", "")
  static let quantile = TorchOperator("aten::quantile", "")
  static let topk = TorchOperator("aten::topk", "")
  static let sort = TorchOperator("aten::sort", "")
  static let argsort = TorchOperator("aten::argsort", "")
  static let bincount = TorchOperator("aten::bincount", "")
  static let logsumexp = TorchOperator("aten::logsumexp", "")
  static let softmaxInt = TorchOperator("aten::softmax", "int")
  static let logSoftmaxInt = TorchOperator("aten::log_softmax", "int")
  static let matmul = TorchOperator("aten::matmul", "")
  static let mm = TorchOperator("aten::mm", "")
  static let bmm = TorchOperator("aten::bmm", "")
  static let addmm = TorchOperator("aten::addmm", "")
  static let linear = TorchOperator("aten::linear", "")
  static let einsum = TorchOperator("aten::einsum", "")
  static let linalgEigh = TorchOperator("aten::linalg_eigh", "")
  static let linalgSvd = TorchOperator("aten::linalg_svd", "")
  static let linalgSolve = TorchOperator("aten::linalg_solve", "")
  static let linalgInv = TorchOperator("aten::linalg_inv", "")
  static let linalgQr = TorchOperator("aten::linalg_qr", "")
  static let trace = TorchOperator("aten::trace", "")
  static let diagonal = TorchOperator("aten::diagonal", "")
  static let outer = TorchOperator("aten::outer", "")
  static let cdist = TorchOperator("aten::cdist", "")
  static let view = TorchOperator("aten::view", "")
  static let reshape = TorchOperator("aten::reshape", "")
  static let permute = TorchOperator("aten::permute", "")
  static let transposeInt = TorchOperator("aten::transpose", "int")
  static let contiguous = TorchOperator("aten::contiguous", "")
  static let clone = TorchOperator("aten::clone", "")
  static let detach = TorchOperator("aten::detach", "")
  static let expand = TorchOperator("aten::expand", "")
  static let repeatOperator = TorchOperator("aten::repeat", "")
  static let repeatInterleaveSelfInt = TorchOperator("aten::repeat_interleave", "self_int")
  static let squeezeDim = TorchOperator("aten::squeeze", "dim")
  static let unsqueeze = TorchOperator("aten::unsqueeze", "")
  static let flattenUsingInts = TorchOperator("aten::flatten", "using_ints")
  static let unflattenInt = TorchOperator("aten::unflatten", "int")
  static let cat = TorchOperator("aten::cat", "")
  static let stack = TorchOperator("aten::stack", "")
  static let chunk = TorchOperator("aten::chunk", "")
  static let splitWithSizes = TorchOperator("aten::split_with_sizes", "")
  static let narrow = TorchOperator("aten::narrow", "")
  static let sliceTensor = TorchOperator("aten::slice", "Tensor")
  static let selectInt = TorchOperator("aten::select", "int")
  static let indexSelect = TorchOperator("aten::index_select", "")
  static let indexCopyInPlace = TorchOperator("aten::index_copy_", "")
  static let gather = TorchOperator("aten::gather", "")
  static let scatterSrc = TorchOperator("aten::scatter", "src")
  static let flip = TorchOperator("aten::flip", "")
  static let roll = TorchOperator("aten::roll", "")
  static let tril = TorchOperator("aten::tril", "")
  static let triu = TorchOperator("aten::triu", "")
  static let pixelShuffle = TorchOperator("aten::pixel_shuffle", "")
  static let pixelUnshuffle = TorchOperator("aten::pixel_unshuffle", "")
  static let oneHot = TorchOperator("aten::one_hot", "")
  static let toCopy = TorchOperator("aten::_to_copy", "")
  static let embedding = TorchOperator("aten::embedding", "")
  static let layerNorm = TorchOperator("aten::layer_norm", "")
  static let rmsNorm = TorchOperator("aten::rms_norm", "")
  static let groupNorm = TorchOperator("aten::group_norm", "")
  static let batchNorm = TorchOperator("aten::batch_norm", "")
  static let conv1d = TorchOperator("aten::conv1d", "")
  static let conv2d = TorchOperator("aten::conv2d", "")
  static let convTranspose2dInput = TorchOperator("aten::conv_transpose2d", "input")
  static let maxPool2d = TorchOperator("aten::max_pool2d", "")
  static let avgPool2d = TorchOperator("aten::avg_pool2d", "")
  static let adaptiveAvgPool2d = TorchOperator("aten::adaptive_avg_pool2d", "")
  static let upsampleNearest2d = TorchOperator("aten::upsample_nearest2d", "")
  static let upsampleBilinear2d = TorchOperator("aten::upsample_bilinear2d", "")
  static let upsampleBicubic2d = TorchOperator("aten::upsample_bicubic2d", "")
  static let constantPadNd = TorchOperator("aten::constant_pad_nd", "")
  static let unfold = TorchOperator("aten::unfold", "")
  static let scaledDotProductAttention = TorchOperator("aten::scaled_dot_product_attention", "")
  static let mseLoss = TorchOperator("aten::mse_loss", "")
  static let huberLoss = TorchOperator("aten::huber_loss", "")
  static let crossEntropyLoss = TorchOperator("aten::cross_entropy_loss", "")
  static let dropout = TorchOperator("aten::dropout", "")
  static let foreachNormScalar = TorchOperator("aten::_foreach_norm", "Scalar")
  static let foreachMulScalarInPlace = TorchOperator("aten::_foreach_mul_", "Scalar")
  static let foreachLerpScalarInPlace = TorchOperator("aten::_foreach_lerp_", "Scalar")
  static let foreachCopyInPlace = TorchOperator("aten::_foreach_copy_", "")
  static let fusedAdamwInPlace = TorchOperator("aten::_fused_adamw_", "")
}

/// Every operator in use with the schema it was generated from; a test compares them with the linked libtorch.
package enum OperatorSchemas {
  package static let all: [(name: String, schema: String)] = [
    (
      "aten::empty.memory_format",
      #"aten::empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor"#
    ),
    (
      "aten::zeros",
      #"aten::zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::ones",
      #"aten::ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::full",
      #"aten::full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::arange.start_step",
      #"aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::linspace",
      #"aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::eye",
      #"aten::eye(SymInt n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::zeros_like",
      #"aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor"#
    ),
    (
      "aten::ones_like",
      #"aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor"#
    ),
    (
      "aten::randn.generator",
      #"aten::randn.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::rand.generator",
      #"aten::rand.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::randperm.generator",
      #"aten::randperm.generator(SymInt n, *, Generator? generator, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    (
      "aten::randint.low_generator",
      #"aten::randint.low_generator(SymInt low, SymInt high, SymInt[] size, *, Generator? generator, ScalarType? dtype=long, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor"#
    ),
    ("aten::normal_", #"aten::normal_(Tensor(a!) self, float mean=0, float std=1, *, Generator? generator=None) -> Tensor(a!)"#),
    ("aten::uniform_", #"aten::uniform_(Tensor(a!) self, float from=0, float to=1, *, Generator? generator=None) -> Tensor(a!)"#),
    ("aten::add.Tensor", #"aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor"#),
    ("aten::add.Scalar", #"aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor"#),
    ("aten::sub.Tensor", #"aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor"#),
    ("aten::sub.Scalar", #"aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor"#),
    ("aten::rsub.Scalar", #"aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor"#),
    ("aten::mul.Tensor", #"aten::mul.Tensor(Tensor self, Tensor other) -> Tensor"#),
    ("aten::mul.Scalar", #"aten::mul.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::div.Tensor", #"aten::div.Tensor(Tensor self, Tensor other) -> Tensor"#),
    ("aten::div.Scalar", #"aten::div.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::addcmul", #"aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor"#),
    ("aten::addcdiv", #"aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor"#),
    ("aten::lerp.Scalar", #"aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor"#),
    ("aten::lerp.Tensor", #"aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor"#),
    ("aten::neg", #"aten::neg(Tensor self) -> Tensor"#),
    ("aten::abs", #"aten::abs(Tensor self) -> Tensor"#),
    ("aten::sign", #"aten::sign(Tensor self) -> Tensor"#),
    ("aten::exp", #"aten::exp(Tensor self) -> Tensor"#),
    ("aten::expm1", #"aten::expm1(Tensor self) -> Tensor"#),
    ("aten::log", #"aten::log(Tensor self) -> Tensor"#),
    ("aten::log1p", #"aten::log1p(Tensor self) -> Tensor"#),
    ("aten::sqrt", #"aten::sqrt(Tensor self) -> Tensor"#),
    ("aten::rsqrt", #"aten::rsqrt(Tensor self) -> Tensor"#),
    ("aten::square", #"aten::square(Tensor self) -> Tensor"#),
    ("aten::pow.Tensor_Scalar", #"aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor"#),
    ("aten::reciprocal", #"aten::reciprocal(Tensor self) -> Tensor"#),
    ("aten::sin", #"aten::sin(Tensor self) -> Tensor"#),
    ("aten::cos", #"aten::cos(Tensor self) -> Tensor"#),
    ("aten::tanh", #"aten::tanh(Tensor self) -> Tensor"#),
    ("aten::sigmoid", #"aten::sigmoid(Tensor self) -> Tensor"#),
    ("aten::erf", #"aten::erf(Tensor self) -> Tensor"#),
    ("aten::relu", #"aten::relu(Tensor self) -> Tensor"#),
    ("aten::leaky_relu", #"aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor"#),
    ("aten::silu", #"aten::silu(Tensor self) -> Tensor"#),
    ("aten::gelu", #"aten::gelu(Tensor self, *, str approximate='none') -> Tensor"#),
    ("aten::softplus", #"aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor"#),
    ("aten::round", #"aten::round(Tensor self) -> Tensor"#),
    ("aten::floor", #"aten::floor(Tensor self) -> Tensor"#),
    ("aten::ceil", #"aten::ceil(Tensor self) -> Tensor"#),
    ("aten::clamp", #"aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor"#),
    ("aten::clamp.Tensor", #"aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor"#),
    ("aten::maximum", #"aten::maximum(Tensor self, Tensor other) -> Tensor"#),
    ("aten::minimum", #"aten::minimum(Tensor self, Tensor other) -> Tensor"#),
    ("aten::isfinite", #"aten::isfinite(Tensor self) -> Tensor"#),
    ("aten::isnan", #"aten::isnan(Tensor self) -> Tensor"#),
    ("aten::where.self", #"aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor"#),
    ("aten::eq.Tensor", #"aten::eq.Tensor(Tensor self, Tensor other) -> Tensor"#),
    ("aten::eq.Scalar", #"aten::eq.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::ne.Scalar", #"aten::ne.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::lt.Tensor", #"aten::lt.Tensor(Tensor self, Tensor other) -> Tensor"#),
    ("aten::lt.Scalar", #"aten::lt.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::le.Scalar", #"aten::le.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::gt.Tensor", #"aten::gt.Tensor(Tensor self, Tensor other) -> Tensor"#),
    ("aten::gt.Scalar", #"aten::gt.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::ge.Scalar", #"aten::ge.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::logical_not", #"aten::logical_not(Tensor self) -> Tensor"#),
    ("aten::logical_and", #"aten::logical_and(Tensor self, Tensor other) -> Tensor"#),
    ("aten::masked_fill.Scalar", #"aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor"#),
    ("aten::bitwise_and.Scalar", #"aten::bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor"#),
    ("aten::copy_", #"aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)"#),
    ("aten::fill_.Scalar", #"aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)"#),
    ("aten::zero_", #"aten::zero_(Tensor(a!) self) -> Tensor(a!)"#),
    ("aten::add_.Tensor", #"aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)"#),
    ("aten::mul_.Scalar", #"aten::mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)"#),
    ("aten::lerp_.Scalar", #"aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)"#),
    ("aten::sum", #"aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor"#),
    ("aten::sum.dim_IntList", #"aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor"#),
    ("aten::mean", #"aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor"#),
    ("aten::mean.dim", #"aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor"#),
    (
      "aten::var.correction",
      #"aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor"#
    ),
    (
      "aten::std.correction",
      #"aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor"#
    ),
    ("aten::amax", #"aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor"#),
    ("aten::amin", #"aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor"#),
    ("aten::max", #"aten::max(Tensor self) -> Tensor"#),
    ("aten::min", #"aten::min(Tensor self) -> Tensor"#),
    ("aten::argmax", #"aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor"#),
    ("aten::all", #"aten::all(Tensor self) -> Tensor"#),
    ("aten::any", #"aten::any(Tensor self) -> Tensor"#),
    ("aten::cumsum", #"aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor"#),
    ("aten::cumprod", #"aten::cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor"#),
    ("aten::norm.ScalarOpt_dim", #"aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor"#),
    (
      "aten::linalg_vector_norm",
      #"aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor"#
    ),
    (
      "aten::quantile",
      #"aten::quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor"#
    ),
    (
      "aten::topk",
      #"aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)"#
    ),
    ("aten::sort", #"aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)"#),
    ("aten::argsort", #"aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor"#),
    ("aten::bincount", #"aten::bincount(Tensor self, Tensor? weights=None, SymInt minlength=0) -> Tensor"#),
    ("aten::logsumexp", #"aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor"#),
    ("aten::softmax.int", #"aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor"#),
    ("aten::log_softmax.int", #"aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor"#),
    ("aten::matmul", #"aten::matmul(Tensor self, Tensor other) -> Tensor"#),
    ("aten::mm", #"aten::mm(Tensor self, Tensor mat2) -> Tensor"#),
    ("aten::bmm", #"aten::bmm(Tensor self, Tensor mat2) -> Tensor"#),
    ("aten::addmm", #"aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor"#),
    ("aten::linear", #"aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor"#),
    ("aten::einsum", #"aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor"#),
    ("aten::linalg_eigh", #"aten::linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)"#),
    ("aten::linalg_svd", #"aten::linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)"#),
    ("aten::linalg_solve", #"aten::linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor"#),
    ("aten::linalg_inv", #"aten::linalg_inv(Tensor A) -> Tensor"#),
    ("aten::linalg_qr", #"aten::linalg_qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)"#),
    ("aten::trace", #"aten::trace(Tensor self) -> Tensor"#),
    ("aten::diagonal", #"aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)"#),
    ("aten::outer", #"aten::outer(Tensor self, Tensor vec2) -> Tensor"#),
    ("aten::cdist", #"aten::cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None) -> Tensor"#),
    ("aten::view", #"aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)"#),
    ("aten::reshape", #"aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)"#),
    ("aten::permute", #"aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)"#),
    ("aten::transpose.int", #"aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)"#),
    ("aten::contiguous", #"aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)"#),
    ("aten::clone", #"aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor"#),
    ("aten::detach", #"aten::detach(Tensor(a) self) -> Tensor(a)"#),
    ("aten::expand", #"aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)"#),
    ("aten::repeat", #"aten::repeat(Tensor self, SymInt[] repeats) -> Tensor"#),
    (
      "aten::repeat_interleave.self_int",
      #"aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor"#
    ),
    ("aten::squeeze.dim", #"aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)"#),
    ("aten::unsqueeze", #"aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)"#),
    ("aten::flatten.using_ints", #"aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)"#),
    ("aten::unflatten.int", #"aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)"#),
    ("aten::cat", #"aten::cat(Tensor[] tensors, int dim=0) -> Tensor"#),
    ("aten::stack", #"aten::stack(Tensor[] tensors, int dim=0) -> Tensor"#),
    ("aten::chunk", #"aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]"#),
    ("aten::split_with_sizes", #"aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]"#),
    ("aten::narrow", #"aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)"#),
    (
      "aten::slice.Tensor",
      #"aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)"#
    ),
    ("aten::select.int", #"aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)"#),
    ("aten::index_select", #"aten::index_select(Tensor self, int dim, Tensor index) -> Tensor"#),
    ("aten::index_copy_", #"aten::index_copy_(Tensor(a!) self, int dim, Tensor index, Tensor source) -> Tensor(a!)"#),
    ("aten::gather", #"aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor"#),
    ("aten::scatter.src", #"aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor"#),
    ("aten::flip", #"aten::flip(Tensor self, int[] dims) -> Tensor"#),
    ("aten::roll", #"aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor"#),
    ("aten::tril", #"aten::tril(Tensor self, SymInt diagonal=0) -> Tensor"#),
    ("aten::triu", #"aten::triu(Tensor self, SymInt diagonal=0) -> Tensor"#),
    ("aten::pixel_shuffle", #"aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor"#),
    ("aten::pixel_unshuffle", #"aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor"#),
    ("aten::one_hot", #"aten::one_hot(Tensor self, int num_classes=-1) -> Tensor"#),
    (
      "aten::_to_copy",
      #"aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor"#
    ),
    (
      "aten::embedding",
      #"aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor"#
    ),
    (
      "aten::layer_norm",
      #"aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor"#
    ),
    ("aten::rms_norm", #"aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor"#),
    (
      "aten::group_norm",
      #"aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor"#
    ),
    (
      "aten::batch_norm",
      #"aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor"#
    ),
    (
      "aten::conv1d",
      #"aten::conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=1, SymInt[1] padding=0, SymInt[1] dilation=1, SymInt groups=1) -> Tensor"#
    ),
    (
      "aten::conv2d",
      #"aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] dilation=1, SymInt groups=1) -> Tensor"#
    ),
    (
      "aten::conv_transpose2d.input",
      #"aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] output_padding=0, SymInt groups=1, SymInt[2] dilation=1) -> Tensor"#
    ),
    (
      "aten::max_pool2d",
      #"aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor"#
    ),
    (
      "aten::avg_pool2d",
      #"aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor"#
    ),
    ("aten::adaptive_avg_pool2d", #"aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor"#),
    (
      "aten::upsample_nearest2d",
      #"aten::upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor"#
    ),
    (
      "aten::upsample_bilinear2d",
      #"aten::upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor"#
    ),
    (
      "aten::upsample_bicubic2d",
      #"aten::upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor"#
    ),
    ("aten::constant_pad_nd", #"aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor"#),
    ("aten::unfold", #"aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)"#),
    (
      "aten::scaled_dot_product_attention",
      #"aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor"#
    ),
    ("aten::mse_loss", #"aten::mse_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor"#),
    ("aten::huber_loss", #"aten::huber_loss(Tensor self, Tensor target, int reduction=Mean, float delta=1.0) -> Tensor"#),
    (
      "aten::cross_entropy_loss",
      #"aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, SymInt ignore_index=-100, float label_smoothing=0.0) -> Tensor"#
    ),
    ("aten::dropout", #"aten::dropout(Tensor input, float p, bool train) -> Tensor"#),
    ("aten::_foreach_norm.Scalar", #"aten::_foreach_norm.Scalar(Tensor[] self, Scalar ord=2, ScalarType? dtype=None) -> Tensor[]"#),
    ("aten::_foreach_mul_.Scalar", #"aten::_foreach_mul_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()"#),
    ("aten::_foreach_lerp_.Scalar", #"aten::_foreach_lerp_.Scalar(Tensor(a!)[] self, Tensor[] tensors1, Scalar weight) -> ()"#),
    ("aten::_foreach_copy_", #"aten::_foreach_copy_(Tensor(a!)[] self, Tensor[] src, bool non_blocking=False) -> ()"#),
    (
      "aten::_fused_adamw_",
      #"aten::_fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()"#
    ),
  ]
}
