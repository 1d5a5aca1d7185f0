import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepPipelines

struct CalibrateGaussian: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gaussian",
    abstract: "Mean and covariance of a model's data, for --start teleport.",
    discussion: """
      By default of the model's own samples; --pictures takes pictures of the model's size in their place. What is measured with guidance holds for
      that guidance only.
      """)

  @OptionGroup var options: CalibrationOptions
  @Option(name: [.customShort("n"), .long], help: "Solver steps of the samples (default: the model's).")
  var steps: Int?
  @Option(help: "A folder of PNG pictures in place of samples.", completion: .directory)
  var pictures: String?
  @Option(help: "Directions of the covariance that are kept; never more than a quarter of the samples.")
  var rank = 256
  @Option(help: "Parts of a mixture, found by k-means.")
  var components = 1
  @Flag(help: "One distribution per class, for class-conditional models.")
  var perClass = false

  func validate() throws {
    guard (1...65536).contains(rank) else { throw ValidationError("--rank is \(rank); allowed: 1…65536.") }
    guard (1...1024).contains(components) else { throw ValidationError("--components is \(components); allowed: 1…1024.") }
    if let steps, steps < 1 { throw ValidationError("--steps is \(steps); it must be at least 1.") }
    if perClass, pictures != nil || components != 1 { throw ValidationError("--per-class goes with neither --pictures nor --components.") }
    if pictures != nil, let idle = options.givenRuns ?? steps.map({ _ in "--steps" }) {
      throw ValidationError("\(idle) has no effect with --pictures: no samples are made.")
    }
  }

  func run() async throws {
    let given = try pictures.map(Self.read)
    let model = try options.load()
    var request = try given == nil ? options.request(model) : GenerationRequest(prompts: ["0"], seeds: [0])
    request.steps = steps
    var calibration = GaussianCalibration(request)
    (calibration.rank, calibration.components, calibration.isPerClass, calibration.batch) = (rank, components, perClass, options.batch)
    let line = CalibrationProgress(isQuiet: options.quiet)
    calibration.progress = { what, fraction in line.show(what, fraction) }
    let path = options.output
    let (share, count) = try await Interruption.ending { [calibration] in try calibration.write(model, pictures: given, to: path) }
    line.clear()
    if !options.quiet {
      print("wrote \(path): \(count) samples; the kept directions hold \(String(format: "%.1f", share * 100)) % of their variance")
    }
  }

  private static func read(_ folder: String) throws -> [PixelImage] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw ValidationError("--pictures \(folder) is no folder that can be read.")
    }
    let pictures = names.filter { $0.lowercased().hasSuffix(".png") }.sorted()
    guard !pictures.isEmpty else { throw ValidationError("--pictures \(folder) holds no PNG pictures.") }
    return try pictures.map { try PNG.read("\(folder)/\($0)").image }
  }
}
