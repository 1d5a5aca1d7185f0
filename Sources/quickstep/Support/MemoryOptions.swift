public import ArgumentParser
import Foundation
public import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
public import QuickstepPipelines
import QuickstepTensor

/// Options of `generate` about memory: how much of it to use, and what to do when there is not enough.
struct MemoryOptions: ParsableArguments {
  @Option(
    help: "Codec in strips, with less memory and the same picture up to rounding: auto (large pictures; default), on, off.")
  var vaeTiling: CodecTiling?
  @Option(
    help: """
      Branches of guidance in one call of the network (together; default) or one after the other (split), with less memory and the same \
      picture up to rounding.
      """)
  var guidanceBranches: GuidedDenoiser.Batching?
  @Flag(help: "Check everything and print the memory it would take; make nothing.")
  var dryRun = false
  @Flag(help: "Run although the estimate is above this machine's memory.")
  var ignoreMemory = false

  /// Checks the requests against outlines of their models and the estimate against the machine.
  /// - Throws: what is wrong with a request; `ValidationError` when memory does not suffice.
  func check(_ stages: [GenerationStage], _ command: GenerateCommand, dtype: DType, device: Device, kernels: KernelChoice) throws
    -> RunEstimate
  {
    var result = RunEstimate(parts: [])
    var runs: [(name: String, pipeline: ImagePipeline, request: GenerationRequest)] = []
    var shape: [Int] = []
    for (index, stage) in stages.enumerated() {
      let outline = try LoadedModel.outline(
        folder: stage.folder, dtype: dtype, kernels: device == .cpu ? kernels : .plain, options: stage.options)
      var request = stage.request
      if index == 0 { request.pictures.controls = try command.pictures.controlInputs(outline) }
      if index > 0 { request.pictures.handover = .empty(shape, dtype: .float32, device: .meta) }
      let companions = try ImagePipeline.companions(of: request, like: outline)
      let pipeline = ImagePipeline(outline, companions: companions)
      let estimate = try pipeline.estimate(request)
      shape = estimate.stateShape
      runs.append((outline.name, pipeline, request))
      result.parts.append((outline.name, estimate))
    }
    let facts = MachineFacts.read()
    let memory = min(facts.memory, facts.memoryLimit ?? .max)
    guard device == .cpu, memory > 0, result.bytes > memory, !ignoreMemory, !dryRun else { return result }
    var split = RunEstimate(parts: [])
    for run in runs {
      var request = run.request
      request.guidanceBatching = .split
      split.parts.append((run.name, try run.pipeline.estimate(request)))
    }
    let apart = split.bytes < result.bytes ? ", --guidance-branches split (\(Quantity.bytes(split.bytes)))" : ""
    throw ValidationError(
      "This run is expected to take \(Quantity.bytes(result.bytes)) of memory (\(result.summary)), and this machine has "
        + "\(Quantity.bytes(memory)). Ask for a smaller size or batch\(apart), a smaller --dtype or --vae-tiling on; "
        + "--ignore-memory runs it all the same.\(Self.askedSizeHint(runs, result))")
  }

  /// Where a model works at a size that it was trained on: what a run at the smaller size asked for would take.
  private static func askedSizeHint(
    _ runs: [(name: String, pipeline: ImagePipeline, request: GenerationRequest)], _ result: RunEstimate
  ) -> String {
    var (exact, isSmaller) = (RunEstimate(parts: []), false)
    for (run, part) in zip(runs, result.parts) {
      var request = run.request
      request.usesTrainedSizes = false
      // Not every size is one that the model can work at.
      let estimate = (try? run.pipeline.estimate(request)) ?? part.estimate
      isSmaller = isSmaller || estimate.stateShape.reduce(1, *) < part.estimate.stateShape.reduce(1, *)
      exact.parts.append((run.name, estimate))
    }
    return isSmaller
      ? " The size was enlarged to one the model was trained on; --exact-size keeps the size asked for and takes \(Quantity.bytes(exact.bytes))."
      : ""
  }

  func report(_ estimate: RunEstimate, json: Bool) throws {
    guard json else { return print("\(Quantity.bytes(estimate.bytes)) of memory expected: \(estimate.summary)") }
    let parts = estimate.parts.map { name, part in
      JSONValue.object([
        "model": .string(name), "weights_bytes": .integer(part.weights), "encode_bytes": .integer(part.encode),
        "denoise_bytes": .optional(part.denoise), "held_bytes": .optional(part.held),
        "decode_bytes": .integer(part.decode), "decodes_in_strips": .bool(part.decodesInStrips),
        "pictures_bytes": .integer(part.pictures),
      ])
    }
    printJSON(.object(["estimated_memory_bytes": .integer(estimate.bytes), "models": .array(parts)]))
  }
}

extension CodecTiling: ExpressibleByArgument {}
extension GuidedDenoiser.Batching: ExpressibleByArgument {}
extension GraphUse: ExpressibleByArgument {}

/// The memory of all models of a run. They are at work one after the other.
struct RunEstimate {
  var parts: [(name: String, estimate: MemoryEstimate)]

  /// The program and the largest part.
  var bytes: Int { MemoryEstimate.program + (parts.map(\.estimate.peak).max() ?? 0) }

  /// Where they go.
  var summary: String {
    let texts = parts.map { name, part in
      let denoise = part.denoise.map { Quantity.bytes($0) } ?? "an unknown amount"
      let decode = part.decode == 0 ? "" : ", \(Quantity.bytes(part.decode)) to decode\(part.decodesInStrips ? " in strips" : "")"
      let encode = part.encode == 0 ? "" : "\(Quantity.bytes(part.encode)) to encode prompts, "
      let held = part.held == 0 ? "" : ", \(part.held.map { Quantity.bytes($0) } ?? "an unknown amount") for what methods hold"
      let pictures = part.stateShape[0] < 2 ? "" : ", \(Quantity.bytes(part.pictures)) for \(part.stateShape[0]) pictures"
      return "'\(name)' has \(Quantity.bytes(part.weights)) of weights, needs \(encode)\(denoise) to denoise\(held)\(decode)\(pictures)"
    }
    return (texts + ["the program needs \(Quantity.bytes(MemoryEstimate.program))"]).joined(separator: "; ")
  }

  /// What to say after a run that took more than was expected.
  func warning(peak: Int) -> String? {
    guard peak > bytes, parts.allSatisfy({ $0.estimate.denoise != nil && $0.estimate.held != nil }) else { return nil }
    return "the run took \(Quantity.bytes(peak)) of memory; \(Quantity.bytes(bytes)) were expected (\(summary))"
  }
}
