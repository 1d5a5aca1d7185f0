import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines

/// Options that change a model while it is loaded, for every command that loads one.
struct AlterationOptions: ParsableArguments {
  @Option(
    help: "Add a LoRA, FILE or FILE:scale (repeatable). PEFT's, diffusers' and kohya's files are known.",
    completion: .file(extensions: ["safetensors"]))
  var lora: [String] = []
  @Option(help: "fused adds LoRAs to the weights when they are loaded; live keeps them beside the weights (default: fused).")
  var loraMode: String?
  @Flag(help: "Leave out what does not fit of a LoRA, with a warning.")
  var loraPartial = false
  @Option(
    help: "Take a part from elsewhere, PART=PATH (repeatable): a component folder, or a safetensors or GGUF file such as unet=file.gguf.",
    completion: .file())
  var replace: [String] = []
  @Option(help: "Folder with a CLIP tokenizer, for single files, which have none.", completion: .directory)
  var tokenizer: String?
  @Option(help: "What the network predicts, for single files that do not say: epsilon or v_prediction.")
  var prediction: String?

  func validate() throws {
    if let loraMode, LoRAMode(rawValue: loraMode) == nil {
      throw ValidationError("--lora-mode is '\(loraMode)'; allowed: \(LoRAMode.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    if lora.isEmpty, loraMode != nil || loraPartial {
      throw ValidationError("\(loraPartial ? "--lora-partial" : "--lora-mode") has no effect without --lora.")
    }
    if let prediction, !["epsilon", "v_prediction"].contains(prediction) {
      throw ValidationError("--prediction is '\(prediction)'; allowed: epsilon, v_prediction.")
    }
  }

  /// The first option that was given, for messages.
  var given: String? {
    let all: [(String, Bool)] = [
      ("--lora", !lora.isEmpty), ("--replace", !replace.isEmpty), ("--tokenizer", tokenizer != nil), ("--prediction", prediction != nil),
    ]
    return all.first { $0.1 }?.0
  }

  func options() throws -> ModelOptions {
    var options = ModelOptions()
    // A name with a colon and a number at its end is taken as it is when there is such a file.
    options.adapters = try lora.map { FileManager.default.fileExists(atPath: $0) ? LoRAChoice(path: $0) : try LoRAChoice(parsing: $0) }
    options.adapterMode = loraMode.flatMap { LoRAMode(rawValue: $0) } ?? .fused
    options.allowsPartialAdapters = loraPartial
    for text in replace {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw ValidationError("--replace \(text) is not of the form PART=PATH, such as unet=file.gguf.") }
      guard options.replacements.updateValue(parts[1], forKey: parts[0]) == nil else {
        throw ValidationError("--replace names '\(parts[0])' twice.")
      }
    }
    options.tokenizer = tokenizer
    options.prediction = prediction
    return options
  }
}
