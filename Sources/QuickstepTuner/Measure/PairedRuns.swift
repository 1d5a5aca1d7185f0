public import QuickstepAcceleration
public import QuickstepPipelines
public import QuickstepTensor

/// The same pictures made in several ways, picture by picture in turn, so that a machine that is slow for a while is slow for all of them.
public struct PairedRuns: Sendable {
  /// One way to make the pictures.
  public struct Way: Sendable {
    /// For people.
    public var label: String
    /// All pictures in one request; each is made alone.
    public var request: GenerationRequest
    /// Models it needs besides the first.
    public var companions: [String: LoadedModel] = [:]
    /// Seconds from prompt to pixels, picture by picture.
    public var seconds: [Double] = []
    /// Seconds of the sampling loop alone.
    public var loopSeconds: [Double] = []
    /// `[C, H, W]` each, about −1…1.
    public var pictures: [Tensor] = []
    /// Calls of the network, of all pictures together.
    public var evaluations = 0
    /// Modules computed, of all pictures together; 0 where nothing counted them.
    public var modules = 0
    /// As many as there are in all evaluations; 0 where nothing counted them.
    public var possibleModules = 0
    /// Multiplications of the first picture, as ``OperationCount`` counts them.
    public var multiplications = 0.0
    /// Most bytes of tensors that the first picture held at once, beside the model, as ``AllocationCount`` counts them.
    public var peakBytes = 0
    /// What its methods did.
    public var reports: [AccelerationReport] = []
    /// For the user.
    public var warnings: [String] = []
    /// Why it cannot be done.
    public var problem: String?

    /// A way to make the pictures of a request, nothing of it done yet.
    public init(label: String, request: GenerationRequest) { (self.label, self.request) = (label, request) }

    /// A way that differs from a request in how it samples; where that cannot be done, ``problem`` says why.
    public init(label: String, settings: SamplingSettings, from request: GenerationRequest, model: LoadedModel) {
      self.init(label: label, request: settings.applied(to: request))
      do {
        companions = try ImagePipeline.companions(of: self.request, like: model)
        _ = try ImagePipeline(model, companions: companions).evaluations(of: self.request)
      } catch {
        problem = "\(error)"
      }
    }
  }

  /// With what was measured.
  public private(set) var ways: [Way]

  /// Makes the pictures of all ways that can be done.
  /// - Parameters:
  ///   - ways: over as many pictures as the first one.
  ///   - progress: told before each picture of each way: the share done, the picture's index and the way's label.
  /// - Throws: `CancellationError`. What goes wrong in one way becomes its ``Way/problem``.
  public init(_ ways: [Way], model: LoadedModel, progress: (Double, Int, String) -> Void = { _, _, _ in }) throws {
    self.ways = ways
    guard let first = ways.first else { return }
    try Self.warm(first, model)
    // Models that share a way with the first one are cold as well.
    for way in ways.dropFirst() where way.problem == nil && !way.companions.isEmpty { try Self.warm(way, model) }
    let count = first.request.prompts.count
    for picture in 0..<count {
      for index in ways.indices where self.ways[index].problem == nil {
        progress(Double(picture * ways.count + index) / Double(count * ways.count), picture, ways[index].label)
        var request = ways[index].request
        (request.prompts, request.seeds) = ([request.prompts[picture]], [request.seeds[picture]])
        do {
          let pipeline = ImagePipeline(model, companions: ways[index].companions)
          try self.ways[index].take(counting: picture == 0) { try pipeline.generate(request) }
        } catch let error as CancellationError {
          throw error
        } catch {
          self.ways[index].problem = "\(error)"
        }
      }
    }
  }

  /// Once without counting, so that nothing is measured cold.
  private static func warm(_ way: Way, _ model: LoadedModel) throws {
    let pipeline = ImagePipeline(model, companions: way.companions)
    var request = way.request
    (request.prompts, request.seeds) = ([request.prompts[0]], [request.seeds[0]])
    do {
      _ = try pipeline.generate(shortened(request, pipeline))
    } catch let error as CancellationError {
      throw error
    } catch {}
  }

  /// The request with as few steps as let every model have one; as it is where it goes with no other number of steps.
  private static func shortened(_ request: GenerationRequest, _ pipeline: ImagePipeline) -> GenerationRequest {
    func models(_ request: GenerationRequest) -> [String]? { (try? pipeline.plan(of: request))?.parts.map(\.model) }
    let (all, most) = (models(request), request.steps ?? pipeline.model.defaults.steps)
    var shorter = request
    for steps in [2, 4, 8, 16, 32, 64] where steps < most {
      shorter.steps = steps
      if let found = models(shorter), found == all { return shorter }
    }
    return request
  }
}

extension PairedRuns.Way {
  fileprivate mutating func take(counting: Bool, _ make: () throws -> GenerationResult) throws {
    guard counting else { return take(try make()) }
    let counted = try AllocationCount.measure { try OperationCount.measure(make) }
    (multiplications, peakBytes) = (counted.result.count, counted.bytes.peak)
    take(counted.result.result)
  }

  private mutating func take(_ result: GenerationResult) {
    seconds.append(result.seconds.encode + result.seconds.denoise + result.seconds.decode)
    loopSeconds.append(result.seconds.denoise)
    pictures += result.images.map(\.pixels)
    evaluations += result.evaluations
    modules += result.computedModules
    possibleModules += result.possibleModules
    reports = reports.count == result.accelerations.count ? zip(reports, result.accelerations).map { $0.adding($1) } : result.accelerations
    warnings += result.warnings.filter { !warnings.contains($0) }
  }
}
