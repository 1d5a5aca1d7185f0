import QuickstepAcceleration
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Synchronization
import Testing

/// Methods of acceleration together with what else a request may ask for: a ControlNet, a picture to begin with, a solver that evaluates twice.
@Suite struct CombinationTests {
  enum Network: Sendable { case unet, transformer }
  enum Way: Sendable { case control, start, twice }

  struct Setting: Sendable, CustomTestStringConvertible {
    let network: Network
    let way: Way
    var testDescription: String { "\(network), \(way)" }
    var isUNet: Bool { network == .unet }

    static let all = [
      Setting(network: .unet, way: .control), Setting(network: .unet, way: .start), Setting(network: .unet, way: .twice),
      Setting(network: .transformer, way: .start), Setting(network: .transformer, way: .twice),
    ]

    /// What is known before the run.
    var planned: [String] {
      let both = [
        "fora:interval=2", "taylorseer:interval=2,order=2,level=module", "pab:from=1,to=0", "fastercache:from=1,branch-from=1",
        "guidance-cache:interval=2,start=0", "layer-skip:layers=0,start=0.5", "cachequant:starts=0,2,5",
      ]
      switch network {
      case .unet:
        let reused = way == .control ? ["deepcache:interval=2,control=reuse"] : []
        return both + reused + [
          "deepcache:interval=3", "deepcache:interval=2,branch=1,order=1", "faster-diffusion:schedule=uniform,interval=3,noise=0",
          "step-rehash",
        ]
      case .transformer: return both + ["taylorseer:interval=3", "toca:interval=2,fresh=0.2,step-slope=0", "magcache:threshold=1,ratios=1"]
      }
    }

    /// What is decided while running; the thresholds are such that something is left out.
    var deciding: [String] {
      let both = ["easycache:threshold=10,warmup=2"]
      switch network {
      case .unet: return both
      case .transformer:
        return both + [
          "first-block-cache:threshold=10", "cg-taylor:threshold=10", "dbcache:threshold=10,warmup=2,estimate=taylor",
          "teacache:threshold=2.5,coefficients=1", "speca:threshold=10",
        ]
      }
    }
  }

  /// A model, a request for two pictures, and what a run without methods does.
  private final class Ground {
    private let tiny: TinyFolder?
    let model: LoadedModel
    let request: GenerationRequest
    let exact: GenerationResult
    /// How often each site is visited.
    let visits: [String: Int]
    /// Visits of modules: attentions, feed-forward layers and residual blocks.
    let moduleVisits: Int

    init(_ setting: Setting) throws {
      let tiny = setting.isUNet ? nil : try TinyFolder(.transformer)
      let model = try LoadedModel(folder: tiny?.path ?? "\(Goldens.root)/sd")
      var request = try Self.asked(setting)
      self.tiny = tiny
      (self.model, self.request) = (model, request)
      let seen = Mutex<[Site: Int]>([:])
      let control = request.pictures.controls.isEmpty ? [] : [Site.controlNetwork]
      request.observers = [
        SiteTap(sites: Set(control + model.backbone.sites)) { visit in
          if let site = visit.site { seen.withLock { $0[site, default: 0] += 1 } }
        }
      ]
      exact = try ImagePipeline(model).generate(request)
      let counts = seen.withLock { $0 }
      visits = Dictionary(uniqueKeysWithValues: counts.map { ($0.key.path, $0.value) })
      let modules: Set<Site.Kind> = [.attention, .crossAttention, .feedForward, .residual]
      moduleVisits = counts.reduce(0) { $0 + (modules.contains($1.key.kind) ? $1.value : 0) }
    }

    private static func asked(_ setting: Setting) throws -> GenerationRequest {
      let prompts = setting.isUNet ? ["a photo of the astronaut riding a horse", "portrait of mars, 8k"] : ["red fox", "cat"]
      var request = GenerationRequest(prompts: prompts, seeds: [1, 2])
      (request.batch, request.guidanceScale, request.steps) = (2, 2, 10)
      switch setting.way {
      case .control:
        let picture = try PictureFixture("sd-control").picture("control")
        request.pictures.controls = [try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-sd", picture: picture)]
      case .start:
        let red = RGBColor(200, 30, 60)
        let picture =
          setting.isUNet ? try PictureFixture("sd-image").picture("image") : try InputPicture(PixelImage(width: 8, height: 8, fill: red))
        request.pictures.start = StartImage(picture, strength: 0.5)
        request.steps = 20
      case .twice:
        request.solver = "heun"
        if !setting.isUNet { request.solverParameters = ["frame": "flow"] }
        request.steps = 6
      }
      return request
    }

    func generate(_ accelerations: [MethodChoice], _ change: (inout GenerationRequest) -> Void = { _ in }) throws -> GenerationResult {
      var request = self.request
      request.accelerations = accelerations
      change(&request)
      return try ImagePipeline(model).generate(request)
    }
  }

  /// Every visit that a run without methods makes was either done or left out, and told by one letter.
  private func expectCounted(_ result: GenerationResult, _ ground: Ground, _ method: String) {
    let evaluations = ground.exact.evaluations
    #expect(result.evaluations == evaluations, "\(method)")
    for report in result.accelerations {
      var expected = 0
      for (name, letters) in report.actions {
        let isCall = name == "call" || name.hasPrefix("call.") || name.hasPrefix("blocks[")
        #expect((ground.visits[name] == nil) == isCall, "\(method): \(name)")
        expected += ground.visits[name] ?? evaluations
        #expect(letters.count == evaluations && !letters.contains("-"), "\(method): \(name) \(letters)")
      }
      #expect(report.computed + report.saved == expected, "\(method)")
      #expect(report.computed == report.actions.values.reduce(0) { $0 + $1.count { $0 == "C" } }, "\(method)")
      #expect(report.saved > 0 && (report.forced == 0 || method.hasPrefix("fastercache")), "\(method)")
    }
    #expect([0, ground.moduleVisits].contains(result.possibleModules), "\(method)")
    #expect(result.computedModules <= result.possibleModules, "\(method)")
  }

  /// What was done is what was planned, but for what had nothing to be answered from.
  private func expectFollowed(_ result: GenerationResult, _ plan: RequestPlan, _ method: String) throws {
    let part = try #require(plan.parts.first)
    #expect(plan.parts.count == 1 && !part.decidesWhileRunning, "\(method)")
    let planned = part.plan.actions.mapValues(\.codes)
    let done = result.accelerations.reduce(into: [String: String]()) { $0.merge($1.actions) { first, _ in first } }
    #expect(Set(done.keys) == Set(planned.keys) && !done.isEmpty, "\(method)")
    var forced = 0
    for (name, letters) in planned {
      let others = zip(letters, done[name] ?? "").filter { $0.0 != $0.1 }
      #expect(others.allSatisfy { $0.1 == "C" }, "\(method): \(name) is \(done[name] ?? ""), not \(letters)")
      forced += others.count
    }
    #expect(forced == result.accelerations.reduce(0) { $0 + $1.forced }, "\(method)")
  }

  /// Numbers, and others than those of the run without methods.
  private func expectOther(_ result: GenerationResult, _ exact: GenerationResult, _ method: String) throws {
    #expect(try result.isFinite && result.images.count == exact.images.count, "\(method)")
    for (image, reference) in zip(result.images, exact.images) {
      #expect(try !image.pixels.hasBits(of: reference.pixels), "\(method) changes nothing")
    }
  }

  @Test(
    "the ground is what it says: more evaluations than steps, a part of the steps, a network beside the backbone", arguments: Setting.all)
  func grounds(_ setting: Setting) throws {
    let ground = try Ground(setting)
    switch setting.way {
    case .control:
      #expect(ground.visits["controlnet"] == 10 && ground.exact.evaluations == 10)
      let without = try ground.generate([]) { $0.pictures.controls = [] }
      try expectOther(ground.exact, without, "the ControlNet")
    case .start: #expect(ground.exact.evaluations == 10)
    case .twice: #expect(ground.exact.evaluations > 6)
    }
    #expect(ground.visits.values.allSatisfy { $0 == ground.exact.evaluations })
  }

  /// What a method does here and what it planned: it counts, and its pictures are others than those without it.
  private func acted(_ choice: MethodChoice, _ ground: Ground, _ method: String) throws -> (result: GenerationResult, plan: RequestPlan) {
    let result = try ground.generate([choice])
    try expectOther(result, ground.exact, method)
    expectCounted(result, ground, method)
    var request = ground.request
    request.accelerations = [choice]
    return (result, try ImagePipeline(ground.model).plan(of: request))
  }

  @Test("methods that plan follow their plan, count, and do with two pictures what they do with each", arguments: Setting.all)
  func planned(_ setting: Setting) throws {
    let ground = try Ground(setting)
    defer { withExtendedLifetime(ground) {} }
    for method in setting.planned {
      let choice = try MethodChoice(parsing: method)
      let (result, plan) = try acted(choice, ground, method)
      try expectFollowed(result, plan, method)
      #expect(result.warnings.filter { $0.contains("no effect") } == [], "\(method)")
      let apart = try ground.generate([choice]) { $0.batch = 1 }
      for (one, other) in zip(apart.images, result.images) {
        let gap = try one.pixels.largestDifference(from: other.pixels)
        #expect(gap < 1e-4, "\(method): alone and in a batch differ by \(gap)")
      }
      guard setting.way == .control else { continue }
      // The ControlNet acts beside the method as well.
      let control = method.contains("control=") ? try MethodChoice(parsing: "deepcache:interval=2") : choice
      try expectOther(result, ground.generate([control]) { $0.pictures.controls = [] }, "the ControlNet beside \(method)")
    }
  }

  @Test("methods that decide while running count as well", arguments: Setting.all)
  func deciding(_ setting: Setting) throws {
    let ground = try Ground(setting)
    defer { withExtendedLifetime(ground) {} }
    for method in setting.deciding {
      let (_, plan) = try acted(MethodChoice(parsing: method), ground, method)
      #expect(plan.parts[0].decidesWhileRunning, "\(method)")
    }
  }

  @Test(
    "leaving out one early evaluation stays nearer to the run without methods than leaving out all but the first", arguments: Setting.all)
  func nearness(_ setting: Setting) throws {
    let ground = try Ground(setting)
    defer { withExtendedLifetime(ground) {} }
    let run = try ImagePipeline(ground.model).outline(of: ground.request)
    let count = ground.exact.evaluations
    let letters = ["CCR" + String(repeating: "C", count: count - 3), "C" + String(repeating: "R", count: count - 1)]
    func plans(_ names: [String], _ keeps: [String: SitePlan.Kept] = [:]) throws -> [MethodChoice] {
      try letters.map { codes in
        let actions = try Dictionary(uniqueKeysWithValues: names.map { ($0, try [SiteAction](codes: codes, of: $0)) })
        return MethodChoice("plan", parameters: ["file": try SitePlan(evaluations: count, actions: actions, keeps: keeps).json()])
      }
    }
    let starts = ["0,1," + (3..<count).map { "\($0)" }.joined(separator: ","), "0"]
    let pairs = [
      try plans(run.modules([.attention, .crossAttention, .feedForward]).map(\.path)),
      try plans(["call.negative"], ["call.negative": .difference]),
      starts.map { MethodChoice("cachequant", parameters: ["starts": $0]) },
    ]
    for pair in pairs {
      let results = try pair.map { try ground.generate([$0]) }
      for index in ground.exact.images.indices {
        let reference = ground.exact.images[index].pixels
        let gaps = try results.map { try $0.images[index].pixels.largestDifference(from: reference) }
        #expect(gaps[0] > 0 && gaps[0] < gaps[1], "\(pair[0].name): \(gaps)")
      }
    }
  }
}
