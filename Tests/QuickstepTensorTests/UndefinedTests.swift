import Foundation
import QuickstepTensor
import Testing

/// An undefined tensor in any place of any operator gives undefined results, records nothing new and ends nothing.
@Suite struct UndefinedTests {
  private typealias Line = (names: String, results: @Sendable (_ u: Tensor, _ d: Tensor) -> [Tensor])

  private static let elementwise: [Line] = [
    ("adding", { u, d in [u.adding(d), d.adding(u), u.adding(1), u + d, 1 + u, d + u] }),
    ("subtracting subtracted", { u, d in [u.subtracting(d), d.subtracting(u), u.subtracting(1), u.subtracted(1), 1 - u, d - u] }),
    ("multiplied divided", { u, d in [u.multiplied(d), d.multiplied(u), u.multiplied(2), u.divided(d), d.divided(u), u / 2] }),
    ("addcmul", { u, d in [u.addcmul(d, tensor2: d), d.addcmul(u, tensor2: d), d.addcmul(d, tensor2: u)] }),
    ("addcdiv", { u, d in [u.addcdiv(d, tensor2: d), d.addcdiv(u, tensor2: d), d.addcdiv(d, tensor2: u)] }),
    ("lerp", { u, d in [u.lerp(d, weight: 0.5), d.lerp(u, weight: 0.5), d.lerp(d, weight: u)] }),
    ("negated abs sign exp expm1 log log1p", { u, _ in [-u, u.abs(), u.sign(), u.exp(), u.expm1(), u.log(), u.log1p()] }),
    (
      "sqrt rsqrt square pow reciprocal sin cos", { u, _ in [u.sqrt(), u.rsqrt(), u.square(), u.pow(2), u.reciprocal(), u.sin(), u.cos()] }
    ),
    ("tanh sigmoid erf relu leakyReLU silu", { u, _ in [u.tanh(), u.sigmoid(), u.erf(), u.relu(), u.leakyReLU(), u.silu()] }),
    ("gelu softplus round floor ceil", { u, _ in [u.gelu(approximate: "tanh"), u.softplus(), u.round(), u.floor(), u.ceil()] }),
    ("clamp", { u, d in [u.clamp(min: 0, max: 1), u.clamp(min: d), d.clamp(min: u), d.clamp(max: u)] }),
    ("maximum minimum", { u, d in [u.maximum(d), d.maximum(u), u.minimum(d), d.minimum(u)] }),
    ("isFinite isNaN logicalNot bitwiseAnd", { u, _ in [u.isFinite(), u.isNaN(), u.logicalNot(), u.bitwiseAnd(1)] }),
    ("where logicalAnd", { u, d in [u.where(d, other: d), d.greater(0).where(u, other: d), d.logicalAnd(u)] }),
    (
      "equal notEqual less lessOrEqual",
      { u, d in [u.equal(d), d.equal(u), u.equal(1), u.notEqual(1), d.less(u), u.less(1), u.lessOrEqual(1)] }
    ),
    (
      "greater greaterOrEqual maskedFill",
      { u, d in [d.greater(u), u.greater(0), u.greaterOrEqual(0), u.maskedFill(d, value: 1), d.maskedFill(u, value: 1)] }
    ),
    ("zerosLike onesLike", { u, _ in [u.zerosLike(), u.onesLike()] }),
  ]

  private static let reductions: [Line] = [
    ("sum mean variance standardDeviation", { u, _ in [u.sum(), u.sum([0]), u.mean(), u.mean([0]), u.variance(), u.standardDeviation()] }),
    ("amax amin max min argmax all any", { u, _ in [u.amax(), u.amin(), u.max(), u.min(), u.argmax(), u.all(), u.any()] }),
    ("cumsum cumprod norm vectorNorm", { u, _ in [u.cumsum(0), u.cumprod(0), u.norm(p: 2, dim: [0]), u.vectorNorm()] }),
    ("quantile", { u, d in [u.quantile(d), d.quantile(u)] }),
    ("topK sort argsort", { u, _ in [u.topK(1).0, u.topK(1).1, u.sort().0, u.sort().1, u.argsort()] }),
    (
      "bincount logSumExp softmax logSoftmax",
      { u, d in [u.bincount(), d.bincount(weights: u), u.logSumExp([0]), u.softmax(0), u.logSoftmax(0)] }
    ),
  ]

  private static let algebra: [Line] = [
    ("matmul mm bmm", { u, d in [u.matmul(d), d.matmul(u), u.mm(d), d.mm(u), u.bmm(d), d.bmm(u)] }),
    ("addmm", { u, d in [u.addmm(d, mat2: d), d.addmm(u, mat2: d), d.addmm(d, mat2: u)] }),
    ("linear", { u, d in [u.linear(d), d.linear(u), d.linear(d, bias: u)] }),
    ("einsum", { u, d in [.einsum("ij,jk->ik", tensors: [d, u])] }),
    ("eigh svd", { u, _ in [u.eigh().0, u.eigh().1, Tensor.svd(u).0, Tensor.svd(u).1, Tensor.svd(u).2] }),
    ("solve inverse qr", { u, d in [.solve(u, B: d), .solve(d, B: u), .inverse(u), Tensor.qr(u).0, Tensor.qr(u).1] }),
    ("trace diagonal outer cdist", { u, d in [u.trace(), u.diagonal(), u.outer(d), d.outer(u), u.cdist(d), d.cdist(u)] }),
  ]

  private static let shapes: [Line] = [
    (
      "view reshape permute transpose",
      { u, _ in [u.view([4]), u.reshape([4]), u.permute([1, 0]), u.transpose(0, dim1: 1), u.transposed] }
    ),
    ("contiguous clone detach expand", { u, _ in [u.contiguous(), u.clone(), u.detach(), u.expand([2, 2])] }),
    ("repeated repeatInterleave squeeze unsqueeze", { u, _ in [u.repeated([2]), u.repeatInterleave(2), u.squeeze(0), u.unsqueeze(0)] }),
    ("flatten unflatten", { u, _ in [u.flatten(), u.unflatten(0, sizes: [2, 1])] }),
    ("cat stack", { u, d in [.cat([d, u]), .cat([u]), .stack([u, d])] }),
    ("chunkList splitList", { u, _ in u.chunk(2) + u.split(sizes: [1, 1]) }),
    (
      "narrow slice select indexSelect",
      { u, d in
        [u.narrow(0, start: 0, length: 1), u.slice(), u.select(0, index: 0), u.indexSelect(0, index: d), d.indexSelect(0, index: u)]
      }
    ),
    (
      "gather scattered flip roll tril triu",
      { u, d in
        [
          u.gather(0, index: d), d.gather(0, index: u), u.scattered(0, index: d, src: d), d.scattered(0, index: u, src: d),
          d.scattered(0, index: d, src: u), u.flip([0]), u.roll([1]), u.tril(), u.triu(),
        ]
      }
    ),
    (
      "pixelShuffle pixelUnshuffle oneHot toCopy",
      { u, _ in [u.pixelShuffle(2), u.pixelUnshuffle(2), u.oneHot(), u.to(.float16), u.to(.meta), u.to(.int8, .meta)] }
    ),
  ]

  private static let networks: [Line] = [
    (
      "embedding layerNorm",
      { u, d in [u.embedding(d), d.embedding(u), u.layerNorm([2]), d.layerNorm([2], weight: u), d.layerNorm([2], bias: u)] }
    ),
    ("rmsNorm groupNorm", { u, d in [u.rmsNorm([2]), d.rmsNorm([2], weight: u), u.groupNorm(1), d.groupNorm(1, weight: u)] }),
    (
      "batchNorm",
      { u, d in
        [u, d].map {
          $0.batchNorm(weight: u, bias: d, runningMean: nil, runningVar: nil, training: true, momentum: 0, eps: 1, cudnnEnabled: false)
        }
      }
    ),
    (
      "conv1d conv2d convTranspose2d",
      { u, d in [u.conv1d(d), d.conv1d(u), u.conv2d(d), d.conv2d(u), d.conv2d(d, bias: u), d.convTranspose2d(u)] }
    ),
    ("maxPool2d avgPool2d adaptiveAvgPool2d", { u, _ in [u.maxPool2d([2]), u.avgPool2d([2]), u.adaptiveAvgPool2d([1])] }),
    (
      "upsampleNearest2d upsampleBilinear2d",
      { u, _ in [u.upsampleNearest2d([4, 4]), u.upsampleBilinear2d([4, 4], alignCorners: false)] }
    ),
    (
      "upsampleBicubic2d pad unfold",
      { u, _ in [u.upsampleBicubic2d([4, 4], alignCorners: false), u.pad([1, 1]), u.unfold(0, size: 1, step: 1)] }
    ),
    (
      "scaledDotProductAttention",
      { u, d in
        [
          u.scaledDotProductAttention(d, value: d), d.scaledDotProductAttention(u, value: d), d.scaledDotProductAttention(d, value: u),
          d.scaledDotProductAttention(d, value: d, attnMask: u),
        ]
      }
    ),
    ("mseLoss huberLoss", { u, d in [u.mseLoss(d), d.mseLoss(u), u.huberLoss(d)] }),
    (
      "crossEntropy dropout",
      { u, d in [u.crossEntropy(d), d.crossEntropy(u), d.crossEntropy(d, weight: u), .dropout(u, p: 0.5, train: true)] }
    ),
    ("foreachNorm", { u, d in Tensor.foreachNorm([d, u]) }),
  ]

  private static let inPlace: [Line] = [
    ("normalInPlace uniformInPlace", { u, _ in [u.normalInPlace(), u.uniformInPlace()] }),
    ("copyInPlace fillInPlace zeroInPlace", { u, d in [u.copyInPlace(d), d.copyInPlace(u), u.fillInPlace(1), u.zeroInPlace()] }),
    (
      "addInPlace multiplyInPlace lerpInPlace",
      { u, d in [u.addInPlace(d), d.addInPlace(u), u.multiplyInPlace(2), d.lerpInPlace(u, weight: 1)] }
    ),
    ("indexCopyInPlace", { u, d in [u.indexCopyInPlace(0, index: d, source: d), d.indexCopyInPlace(0, index: d, source: u)] }),
    (
      "foreachMultiplyInPlace foreachLerpInPlace foreachCopyInPlace fusedAdamWInPlace",
      { u, d in
        Tensor.foreachMultiplyInPlace([d, u], scalar: 2)
        Tensor.foreachLerpInPlace([d, d], tensors1: [d, u], weight: 0.5)
        Tensor.foreachCopyInPlace([d, u], src: [d, d])
        Tensor.fusedAdamWInPlace(
          [d], grads: [u], expAvgs: [d], expAvgSqs: [d], maxExpAvgSqs: [], stateSteps: [d], lr: 1, beta1: 0, beta2: 0, weightDecay: 0,
          eps: 1, amsgrad: false, maximize: false)
        return []
      }
    ),
  ]

  private static let lines = elementwise + reductions + algebra + shapes + networks + inPlace
  /// Those that take no tensor.
  private static let creators = "empty zeros ones full arange linspace eye randn rand randperm randint"

  @Test("undefined arguments give undefined results", arguments: lines.indices)
  func propagates(_ index: Int) throws {
    let line = Self.lines[index]
    let defined = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
    // No new failure is recorded: the one that made the argument undefined has been reported already.
    let results = try withTensorErrors { line.results(.undefined, defined) }
    for (position, result) in results.enumerated() { #expect(!result.isDefined, "\(line.names), call \(position)") }
    #expect(try defined.scalars(Float.self) == [1, 2, 3, 4], "\(line.names) wrote to its defined argument")
  }

  @Test func everyGeneratedOperatorIsTested() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let source = root.appendingPathComponent("Sources/QuickstepTensor/Generated/Operators.generated.swift")
    let text = try String(contentsOf: source, encoding: .utf8)
    let generated = Set(text.matches(of: /func `?(\w+)`?\(/).map { String($0.1) })
    let tested = Set((Self.lines.map(\.names) + [Self.creators]).joined(separator: " ").split(separator: " ").map(String.init))
    #expect(generated.count > 150)
    #expect(generated.subtracting(tested).sorted() == [], "operators without a line in this file")
    #expect(tested.subtracting(generated).sorted() == [], "lines without an operator")
  }

  @Test func autogradOfNothingDoesNothing() throws {
    let nothing = Tensor.undefined
    nothing.setRequiresGradient(true)
    nothing.setGradient(Tensor([1.0]))
    nothing.backward()
    #expect(!nothing.requiresGradient)
    #expect(nothing.gradient == nil)
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [.undefined], withRespectTo: [Tensor([1.0])]) }
    #expect(throws: TensorError.self) { try Tensor.gradients(of: [Tensor([1.0])], withRespectTo: [.undefined]) }
  }
}
