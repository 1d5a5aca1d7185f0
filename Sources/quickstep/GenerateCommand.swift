import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Make pictures from prompts.",
    discussion: """
      Every PNG carries its settings in its text chunks; --from-image repeats a picture bit for bit on the same machine.

      Examples:
        quickstep generate "red apple" -o apple.png                  one picture, by the built-in model 'emoji'
        quickstep generate fox owl pizza --style noto -o pictures    three pictures in a folder, in a style of their own
        quickstep generate "hot beverage" --count 4 --sheet all.png  four of one kind, also on one sheet
        quickstep generate owl --solver ddim:eta=1 --steps 50        another solver, with a parameter
        quickstep generate owl --solver scheduler_config.json        a scheduler's file of diffusers
        quickstep generate owl --steps 50 --accelerate taylorseer:interval=4
        quickstep generate --from-image apple.png -o again.png       the same picture again
        quickstep generate 7 --model digits                          a class of a class-conditional model
        quickstep generate "a fox" -m model.safetensors              an original single file of Stable Diffusion 1, 2 or XL
        quickstep generate "a fox" -m FOLDER --lora ink.safetensors:0.8 --lora fox.safetensors
        quickstep generate "red fox" --image fox.png --strength 0.5  half of the way back from a picture
      """)

  @Argument(help: "What to make, one prompt per picture; for class models the class's number.")
  var prompts: [String] = []
  @Option(name: [.short, .long], help: "Id of a model (see 'quickstep models'), a model folder or a single file.", completion: .file())
  var model: String?
  @Option(
    help: """
      NAME or NAME:parameter=value,… (see 'quickstep solvers'; names of other tools: 'quickstep solvers --names'), or a scheduler_config.json \
      or its folder, in place of the model's own.
      """, completion: .file())
  var solver: String?
  @Option(
    name: [.customLong("grid"), .customLong("spacing")],
    help: "How noise levels are spaced: NAME or NAME:parameter=value,… (see 'quickstep methods --family grid').")
  var grid: String?
  @Option(help: "How a run begins later than at noise: NAME:parameter=value,… (see 'quickstep methods --family start').")
  var start: String?
  @Option(name: [.customShort("n"), .long], help: "Solver steps.")
  var steps: Int?
  @Option(name: [.short, .long], help: "Guidance scale; 1 is none and halves the work, as does 0 with published models (Turbo).")
  var guidance: Double?
  @Option(help: "Part of the run in which guidance acts, as START-END in 0…1, such as 0.2-0.8.")
  var guidanceInterval: String?
  @Option(help: "What to steer away from.")
  var negative: String?
  @Option(name: [.short, .long], help: "Seed of the first picture; the following ones count up (default: random).")
  var seed: UInt64?
  @Option(name: [.short, .long], help: "Pictures per prompt.")
  var count = 1
  @Option(help: "WIDTHxHEIGHT in pixels.")
  var size: String?
  @Flag(help: "Work at just that size where a model (PixArt, Sana) would work at the nearest one it was trained on and scale the picture.")
  var exactSize = false
  @Option(help: "A style the model knows, or none.")
  var style: String?
  @Option(
    help: "How brackets in prompts are read: none (literally) or a1111, where (word:1.3), ((word)) and [word] weight words.",
    transform: { text in
      guard let found = PromptWeighting(rawValue: text) else {
        throw ValidationError("--weighting \(text) is unknown; use \(PromptWeighting.allCases.map(\.rawValue).joined(separator: " or ")).")
      }
      return found
    }) var weighting: PromptWeighting?
  @Option(help: "Correction on each prediction, NAME or NAME:parameter=value (repeatable; see 'quickstep methods --family correction').")
  var correct: [String] = []
  @Option(
    help: "Cache or other acceleration, NAME or NAME:parameter=value,… (repeatable; see 'quickstep methods --family acceleration').")
  var accelerate: [String] = []
  @Option(
    name: [.short, .long], help: "FILE.png for one picture, otherwise a folder; folders that are missing are made.", completion: .file())
  var output: String?
  @Option(help: "Also put all pictures on one sheet.", completion: .file(extensions: ["png"]))
  var sheet: String?
  @Option(help: "Pictures computed at once: faster, but equal to single ones only up to rounding.")
  var batch = 1
  @Option(
    help: "safetensors with 'latents' and, possibly, 'prompt_embeds', 'negative_prompt_embeds', their pooled forms and masks.",
    completion: .file()
  )
  var latents: String?
  @Option(help: "Write the state after every step to this safetensors file (one batch only).", completion: .file())
  var trajectory: String?
  @Option(help: "Repeat the picture in this PNG.", completion: .file(extensions: ["png"]))
  var fromImage: String?
  @OptionGroup(title: "Recipes (see 'quickstep tune')") var recipe: RecipeOptions
  @OptionGroup(title: "Changing the model") var alterations: AlterationOptions
  @Option(help: "cpu, cuda, cuda:N or auto (default: auto, or what the picture of --from-image was made on).")
  var device: String?
  @Option(help: "Type of weights and computation: float32 (default), bfloat16, float16.")
  var dtype: String?
  @Option(help: ArgumentHelp(KernelOption.help))
  var kernels: String?
  @Option(help: "Whether evaluations on a GPU are recorded once and played: auto (default: where it can be done), on, off.")
  var cudaGraphs: GraphUse?
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @OptionGroup(title: "Pictures to begin with and to be steered by") var pictures: PictureOptions
  @OptionGroup(title: "Memory") var memory: MemoryOptions
  @Flag(help: "Show the pictures in the terminal while they form; only for models that work on pixels, such as the built-in ones.")
  var preview = false
  @Flag(help: "Print one JSON object about the run to standard output; seeds above 9223372036854775807 are texts in it.")
  var json = false
  @Flag(name: [.short, .long], help: "No progress, no notes.")
  var quiet = false

  func validate() throws {
    if prompts.isEmpty, fromImage == nil { throw ValidationError("Give a prompt, or --from-image.") }
    if !prompts.isEmpty, fromImage != nil { throw ValidationError("--from-image brings its own prompt; give one or the other.") }
    if count < 1 || count > 10000 { throw ValidationError("--count is \(count); allowed: 1…10000.") }
    if let steps, steps < 1 { throw ValidationError("--steps is \(steps); it must be at least 1.") }
    if let guidance, !guidance.isFinite { throw ValidationError("--guidance must be a finite number.") }
    if let kernels { try KernelOption.check(kernels) }
    if trajectory != nil, pictures.refiner != nil {
      throw ValidationError("--trajectory holds the states of one model; leave --refiner out.")
    }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
    if let output, output.lowercased().hasSuffix(".png"), count * max(1, prompts.count) > 1 {
      throw ValidationError("--output \(output) is one file, but \(count * prompts.count) pictures are asked for; give a folder.")
    }
    if fromImage != nil {
      let changed: [(String, Bool)] =
        [
          ("--solver", solver != nil), ("--grid", grid != nil), ("--start", start != nil), ("--steps", steps != nil),
          ("--guidance", guidance != nil),
          ("--negative", negative != nil), ("--seed", seed != nil), ("--size", size != nil), ("--exact-size", exactSize),
          ("--style", style != nil),
          ("--count", count != 1),
          ("--latents", latents != nil), ("--correct", !correct.isEmpty), ("--accelerate", !accelerate.isEmpty),
          ("--guidance-interval", guidanceInterval != nil),
          ("--batch", batch != 1), ("--dtype", dtype != nil), ("--kernels", kernels != nil),
          ("--recipe", recipe.recipe != nil), ("--recipe-anyway", recipe.recipeAnyway),
          ("--weighting", weighting != nil), ("--vae-tiling", memory.vaeTiling != nil),
          ("--guidance-branches", memory.guidanceBranches != nil),
        ] + pictures.given.map { ($0, true) }
      if let first = changed.first(where: { $0.1 })?.0 ?? alterations.given {
        throw ValidationError("\(first) would change the picture that --from-image repeats.")
      }
    }
  }

  /// An option that says how to sample, where one was given.
  var givenSampling: String? {
    let options = [
      ("--solver", solver != nil), ("--grid", grid != nil), ("--start", start != nil), ("--steps", steps != nil),
      ("--accelerate", !accelerate.isEmpty), ("--guidance-interval", guidanceInterval != nil),
    ]
    return options.first { $0.1 }?.0
  }

  func run() async throws {
    if cudaGraphs != nil, try !Device(named: device ?? "auto").isCUDA {
      throw ValidationError("--cuda-graphs has no effect without a GPU; leave it out, or give --device cuda.")
    }
    let plan = try GenerationJob(self)
    try await plan.run()
  }
}
