import QuickstepModels
import QuickstepNN
import QuickstepTensor

/// For which branches of guidance a network was called.
final class CallCounter {
  /// Each set of branches once, as often as it was called for.
  var branches: Set<[String]> = []
}

/// One evaluation of a model's network for all branches of guidance.
struct NetworkCall {
  let model: LoadedModel
  /// By branch.
  let conditions: [String: Conditioning]
  /// What the network is told of pictures.
  let pictures: PreparedPictures
  /// Acts at the network's sites; `nil` when nobody does.
  var policy: (any SitePolicy)?
  /// Recorded evaluations; `nil` where they are done one kernel after the other.
  var graphs: EvaluationGraphs?
  /// Keeps what networks make beside their weights.
  let tables: ConstantTables
  /// Told of each call.
  var counter: CallCounter?

  /// - Parameters:
  ///   - input: `[k·B, C, H, W]`, the context's branches one after the other.
  /// - Returns: the network's answer, `[k·B, C, H, W]` in float32, without the variance that some networks predict as well.
  func output(_ input: Tensor, _ context: StepContext) throws -> Tensor {
    let samples = input.size(0) / max(1, context.branches.count)
    let parts = context.branches.compactMap { conditions[$0] }.map { Self.fitted($0, to: samples) }
    // Prompts of several chunks may differ in length from branch to branch.
    guard Set(parts.compactMap { $0.sequence?.size(1) }).count <= 1 else {
      let inputs = input.chunk(parts.count, dim: 0)
      let outputs = try context.branches.enumerated().map { index, branch in
        var own = context
        own.branches = [branch]
        return try self.output(inputs[index], own)
      }
      return .cat(outputs, dim: 0)
    }
    counter?.branches.insert(context.branches)
    let timestep = timesteps(input, context)
    if let recorded = try recorded(input, timestep, parts, context) { return recorded }
    return try tables.keeping { try answer(input, timestep, parts, context) }
  }

  /// - Parameter parts: by branch of the context.
  private func answer(_ input: Tensor, _ timestep: Tensor, _ parts: [Conditioning], _ context: StepContext) throws -> Tensor {
    // The state stays float32 whatever the network computes in: a step changes it by less than half types can hold.
    let seen = input.to(model.computeType)
    let evaluation = Evaluation(context, policy: policy)
    var conditioning = Conditioning.stacked(parts)
    conditioning.residuals = try pictures.residuals(seen, timestep: timestep, parts, evaluation)
    let answer = try model.backbone(pictures.input(seen), timestep: timestep, conditioning: conditioning, evaluation: evaluation)
      .to(.float32).contiguous()
    let channels = input.size(1)
    return answer.rank == 4 && answer.size(1) == 2 * channels ? answer.narrow(1, start: 0, length: channels) : answer
  }

  /// The same by a recording, where evaluations are recorded and nobody acts inside this one.
  ///
  /// All that changes from evaluation to evaluation, or from batch to batch, is handed over as a tensor; what pictures tell is the request's.
  private func recorded(_ input: Tensor, _ timestep: Tensor, _ parts: [Conditioning], _ context: StepContext) throws -> Tensor? {
    guard let graphs, policy == nil else { return nil }
    let told = parts.map(\.parts)
    let inputs = [input, timestep] + told.flatMap { $0.map(\.tensor) }
    // A branch by itself is told apart by tensors alone, so that one recording serves all branches that are evaluated one after the other.
    let branches = context.branches.count > 1 ? context.branches : []
    let key = EvaluationGraphs.Key(
      model: model.folder + model.fingerprint, parts: branches + pictures.acting(context), names: told.flatMap { $0.map(\.name) },
      shapes: inputs.map(\.shape), types: inputs.map(\.dtype))
    return try graphs(key, inputs, on: model.device) { [self] tensors in
      var rest = tensors.dropFirst(2)
      let parts = told.map { names in
        let own = rest.prefix(names.count)
        rest = rest.dropFirst(names.count)
        return Conditioning(parts: zip(names, own).map { ($0.name, $1) })
      }
      return [try tables.keeping { try answer(tensors[0], tensors[1], parts, context) }]
    }?.first
  }

  /// Several copies of the samples are told the same.
  private static func fitted(_ condition: Conditioning, to samples: Int) -> Conditioning {
    guard let own = condition.sampleCount, own > 0, samples > own, samples % own == 0 else { return condition }
    return condition.repeated(samples / own)
  }

  /// What the network is told of the time, `[k·B]`: samples may stand at levels of their own, the same in every branch.
  private func timesteps(_ input: Tensor, _ context: StepContext) -> Tensor {
    guard let levels = context.sampleLevels else {
      return .full([input.size(0)], fillValue: .real(context.level.timestep), dtype: .float32, device: input.device)
    }
    return Tensor(levels.map { Float($0.timestep) }).repeated([input.size(0) / max(1, levels.count)]).to(input.device)
  }
}
