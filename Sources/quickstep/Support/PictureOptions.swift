public import ArgumentParser
import Foundation
import QuickstepFormats
public import QuickstepPipelines
import QuickstepTensor

/// Options of `generate` that name pictures, and what is done with them.
struct PictureOptions: ParsableArguments {
  @Option(
    help: "A PNG to begin with (image-to-image); its size is the result's unless --size and --resize say otherwise.",
    completion: .file(extensions: ["png"]))
  var image: String?
  @Option(help: "How much of --image is made anew, above 0 up to 1 (default: 0.8, or 1 with --mask).")
  var strength: Double?
  @Option(help: "A PNG that says which part of --image is made anew: white is, black is kept.", completion: .file(extensions: ["png"]))
  var mask: String?
  @Option(help: "What happens to pictures of another size: exact (refused), stretch, crop (default: exact).")
  var resize: PictureFit?
  @Option(
    help: "A PNG that steers the model through a ControlNet (repeatable: what several add is summed).",
    completion: .file(extensions: ["png"]))
  var control: [String] = []
  @Option(
    help: "Folder of the ControlNet (default: 'controlnet' in the model's folder); with several --control one for each, or one for all.",
    completion: .directory)
  var controlnet: [String] = []
  @Option(help: "How strongly --control acts, one number for each or one for all (default: 1).")
  var controlScale: [Double] = []
  @Option(help: "Part of the run in which --control acts, as START-END in 0…1, one for each or one for all (default: 0-1).")
  var controlInterval: [String] = []
  @Flag(help: "For --control without a prompt: it acts on the prompted branch only, and less on outer levels.")
  var controlGuess = false
  @Option(help: "A model that does the last part of the run, such as SDXL's refiner.", completion: .directory)
  var refiner: String?
  @Option(help: "Where --refiner takes over, as a part of the run above 0 and below 1 (default: 0.8).")
  var handover: Double?

  /// Names of the options that were given.
  var given: [String] {
    let all: [(String, Bool)] = [
      ("--image", image != nil), ("--strength", strength != nil), ("--mask", mask != nil), ("--resize", resize != nil),
      ("--control", !control.isEmpty), ("--controlnet", !controlnet.isEmpty), ("--control-scale", !controlScale.isEmpty),
      ("--control-interval", !controlInterval.isEmpty), ("--control-guess", controlGuess), ("--refiner", refiner != nil),
      ("--handover", handover != nil),
    ]
    return all.filter(\.1).map(\.0)
  }

  func validate() throws {
    if let strength, !(strength > 0 && strength <= 1) { throw ValidationError("--strength is \(strength); allowed: above 0, up to 1.") }
    if let handover, !(handover > 0 && handover < 1) { throw ValidationError("--handover is \(handover); allowed: above 0, below 1.") }
    if let scale = controlScale.first(where: { !(abs($0) <= 100) }) {
      throw ValidationError("--control-scale is \(scale); allowed: -100…100.")
    }
    if mask != nil, image == nil { throw ValidationError("--mask needs the picture it belongs to: --image.") }
    let idle: [(String, Bool)] = [
      ("--strength has no effect without --image", strength != nil && image == nil),
      ("--resize has no effect without --image or --control", resize != nil && image == nil && control.isEmpty),
      ("--controlnet has no effect without --control", !controlnet.isEmpty && control.isEmpty),
      ("--control-scale has no effect without --control", !controlScale.isEmpty && control.isEmpty),
      ("--control-interval has no effect without --control", !controlInterval.isEmpty && control.isEmpty),
      ("--control-guess has no effect without --control", controlGuess && control.isEmpty),
      ("--handover has no effect without --refiner", handover != nil && refiner == nil),
      ("--refiner takes over a whole run; --image cannot be combined with it", refiner != nil && image != nil),
    ]
    if let first = idle.first(where: \.1) { throw ValidationError(first.0 + ".") }
    for (option, count) in [
      ("--controlnet", controlnet.count), ("--control-scale", controlScale.count), ("--control-interval", controlInterval.count),
    ] where count > 1 && count != control.count {
      throw ValidationError("\(option) was given \(count) times and --control \(control.count) times; give one for each, or one for all.")
    }
  }

  /// What the request says of pictures, except for the ControlNet, which is loaded with the model.
  func inputs() throws -> PictureInputs {
    var inputs = PictureInputs()
    inputs.start = try image.map { StartImage(try InputPicture(path: $0), strength: strength) }
    inputs.mask = try mask.map { InpaintMask(try InputPicture(path: $0)) }
    inputs.fit = resize ?? .exact
    return inputs
  }

  /// The steering pictures with their networks, for a model; a network that reads several is loaded once.
  func controlInputs(_ model: LoadedModel) throws -> [ControlInput] {
    var inputs: [ControlInput] = []
    for (index, path) in control.enumerated() {
      let picture = try InputPicture(path: path)
      let own = model.folder + "/controlnet"
      guard let folder = Self.value(controlnet, index) ?? (FileManager.default.fileExists(atPath: own + "/config.json") ? own : nil) else {
        throw ValidationError("--control needs --controlnet: the folder of '\(model.name)' holds none.")
      }
      var input =
        try inputs.first { $0.folder == folder }
        ?? ControlInput(folder: folder, picture: picture, dtype: model.dtype, device: model.device, kernels: model.askedKernels)
      input.picture = picture
      input.scale = Self.value(controlScale, index) ?? 1
      input.interval = try Self.value(controlInterval, index).map { try Interval.parse($0, option: "--control-interval") } ?? 0...1
      input.guesses = controlGuess
      inputs.append(input)
    }
    return inputs
  }

  /// The value for one of several pictures: its own, or the only one.
  private static func value<Value>(_ values: [Value], _ index: Int) -> Value? {
    values.count == 1 ? values[0] : values.indices.contains(index) ? values[index] : nil
  }
}

extension PictureFit: ExpressibleByArgument {}

/// START-END on the command line.
enum Interval {
  static func parse(_ text: String, option: String) throws -> ClosedRange<Double> {
    do { return try SamplingSettings.interval(text, in: option) } catch { throw ValidationError("\(error).") }
  }
}
