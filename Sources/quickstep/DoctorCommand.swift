import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "What this machine has and lacks.",
    discussion: """
      Looks at the processor, memory, libtorch, GPU, models and data, multiplies and convolves numbers whose result is known, and says \
      what to do about what is missing. A warning costs speed or a feature; a problem prevents generation, and makes the exit code 1.

      Examples:
        quickstep doctor
        quickstep doctor --json
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let facts = MachineFacts.read()
    let arithmetic = ArithmeticCheck.run()
    let models = ModelLibrary.all()
    let findings =
      [version, Self.processor(facts), Self.threads(facts), Self.memory(facts), Self.libtorch(), Self.sqlite(), Self.gpu()]
      + [Self.arithmetic(arithmetic), Self.models(models), Self.data()]
    let worst = findings.map(\.status).reduce(Finding.Status.ok) { $1 == .problem || ($1 == .warning && $0 == .ok) ? $1 : $0 }
    if json {
      printJSON(
        .object([
          "status": .string(worst.rawValue), "version": .string(Quickstep.configuration.version), "checks": .array(findings.map(\.json)),
          "cpu": .string(facts.cpu), "cores": .integer(facts.cores), "usable_cores": .integer(facts.usableCores),
          "instruction_sets": .strings(facts.instructionSets), "memory": .integer(facts.memory),
          "memory_available": .integer(facts.availableMemory), "libtorch": .string(Machine.libtorchVersion),
          "gigaflops": .number((arithmetic.gigaflops * 10).rounded() / 10), "models": .strings(models.map(\.id)),
          "gpus": .integer(Machine.cudaDeviceCount()),
        ]))
    } else {
      print(Finding.lines(findings).joined(separator: "\n"))
      print("\n" + Finding.verdict(findings))
    }
    if worst == .problem { throw ExitCode.failure }
  }

  private var version: Finding {
    let version = Quickstep.configuration.version
    #if DEBUG
      let advice = "Build it with 'swift build -c release' for full speed."
      return .warning("quickstep", "\(version), built without optimisation", advice: advice)
    #else
      return .ok("quickstep", version)
    #endif
  }

  private static func processor(_ facts: MachineFacts) -> Finding {
    let sets = facts.instructionSets
    let names = sets.isEmpty ? "no vector instructions" : sets.joined(separator: " ")
    let text = "\(facts.cpu), \(Quantity.counted(facts.cores, "core")); \(names)"
    guard sets.contains("avx2") || sets.contains("asimd") else {
      return .warning("processor", text, advice: "Without AVX2 everything is several times slower; use a processor from 2013 or later.")
    }
    return .ok("processor", text)
  }

  private static func threads(_ facts: MachineFacts) -> Finding {
    let threads = Machine.threads
    let text = "\(Quantity.counted(threads, "thread")) per operator, \(Quantity.counted(facts.usableCores, "core")) usable"
    if threads > facts.usableCores {
      return .warning("threads", text, advice: "More threads than cores slow each other down: give --threads \(facts.usableCores).")
    }
    // libtorch counts cores and not their hardware threads, so half is a choice and not a fault.
    if threads * 2 < facts.usableCores {
      return .warning("threads", text, advice: "Give --threads \(facts.usableCores), and see whether OMP_NUM_THREADS is set.")
    }
    return .ok("threads", text)
  }

  private static func memory(_ facts: MachineFacts) -> Finding {
    var text = "\(Quantity.bytes(facts.availableMemory)) available of \(Quantity.bytes(facts.memory))"
    var usable = facts.availableMemory
    if let limit = facts.memoryLimit, limit < facts.memory {
      text += ", this container may use \(Quantity.bytes(limit))"
      usable = min(usable, limit)
    }
    // libtorch itself, a built-in model and its activations take about 500 MB.
    guard usable < 1_000_000_000 else { return .ok("memory", text) }
    return .warning("memory", text, advice: "Close other programs: the built-in models need about half a gigabyte, larger ones much more.")
  }

  private static func libtorch() -> Finding {
    let headers = Machine.libtorchVersion
    let paths = MachineFacts.loadedLibraries("libtorch_cpu.so")
    let loaded = Machine.configuration.firstMatch(of: /TORCH_VERSION=([^,\s]+)/).map { String($0.1) }
    let place = paths.isEmpty ? "place not known" : paths.joined(separator: " and ")
    let setup = "Run Scripts/setup.sh and build again, and see that LD_LIBRARY_PATH does not name another libtorch."
    if paths.count > 1 { return .problem("libtorch", "loaded twice: \(place)", advice: setup) }
    guard let loaded else {
      return .warning("libtorch", "built for \(headers); the loaded library does not tell its version (\(place))", advice: setup)
    }
    // Builds carry a suffix (`2.11.0+cpu`) that says nothing about the interface.
    func release(_ version: String) -> Substring { version.prefix { $0 != "+" } }
    guard release(loaded) == release(headers) else {
      return .problem("libtorch", "built for \(headers), loaded is \(loaded) from \(place)", advice: setup)
    }
    return .ok("libtorch", "\(loaded), the version this was built for, from \(place)")
  }

  private static func sqlite() -> Finding {
    do {
      return .ok("sqlite", "\(try TrialArchive.libraryVersion()), for archives of searches")
    } catch {
      return .warning("sqlite", "\(error)", advice: "Searches cannot keep their trials: install libsqlite3 again, by Scripts/setup.sh.")
    }
  }

  private static func gpu() -> Finding {
    let count = Machine.cudaDeviceCount()
    if count > 0 {
      do {
        _ = try EvaluationGraph(device: .cuda(0), inputs: [])
        return .ok("gpu", "\(Quantity.counted(count, "GPU")) usable; evaluations can be recorded as graphs")
      } catch {
        return .warning(
          "gpu", "\(Quantity.counted(count, "GPU")) usable, but no graphs: \(error)",
          advice: "Run 'CUDA=1 Scripts/setup.sh' and build again.")
      }
    }
    let folder = MachineFacts.loadedLibraries("libtorch_cpu.so").first.map { String($0.dropLast("libtorch_cpu.so".count)) }
    let manager = FileManager.default
    let hasLibrary = folder.map { manager.fileExists(atPath: $0 + "libtorch_cuda.so") } ?? false
    let hasDriver = ["/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"].contains { manager.fileExists(atPath: $0) }
    let problem = Machine.cudaUnavailableReason().flatMap { $0.split(separator: "\n").first.map(String.init) } ?? "no reason given"
    // The library may need others that are not there, whatever the driver.
    if hasLibrary, !problem.hasPrefix("libtorch_cuda.so is there") {
      return .warning(
        "gpu", "libtorch_cuda.so cannot be opened: \(problem)", advice: "Run 'CUDA=1 Scripts/setup.sh' again; it installs what it needs.")
    }
    guard hasDriver else {
      let libraries = hasLibrary ? " (libtorch's CUDA libraries are there, a driver is not)" : ""
      return .ok("gpu", "none on this machine\(libraries); the processor is used")
    }
    guard hasLibrary else {
      return .warning("gpu", "there is one, but libtorch_cuda.so is not installed", advice: "Run 'CUDA=1 Scripts/setup.sh' to install it.")
    }
    return .warning("gpu", "cannot be used: \(problem)", advice: "See whether nvidia-smi works and whether the driver supports CUDA 13.")
  }

  private static func arithmetic(_ check: ArithmeticCheck) -> Finding {
    if let failure = check.failure {
      let advice = "Run Scripts/setup.sh again; if that does not help, the machine or its libtorch is broken."
      return .problem("arithmetic", failure, advice: advice)
    }
    return .ok("arithmetic", String(format: "products and convolutions are right; 1024³ in float32 at %.0f GFLOP/s", check.gigaflops))
  }

  private static func models(_ models: [ModelEntry]) -> Finding {
    let usable = models.filter { $0.pipeline != nil && $0.problems.isEmpty && $0.unsupported.isEmpty }
    let advice = "Set \(ModelLibrary.variable) to the folder that holds models, or run quickstep where a folder Models lies."
    guard !usable.isEmpty else {
      let found = models.isEmpty ? "none found" : "none of \(models.map(\.id).joined(separator: ", ")) can generate"
      return .problem("models", "\(found); looked in \(ModelLibrary.candidates().joined(separator: ", "))", advice: advice)
    }
    let damaged = models.filter { !$0.problems.isEmpty }
    guard damaged.isEmpty else {
      return .warning(
        "models", "\(usable.map(\.id).joined(separator: ", ")); damaged: \(damaged.map(\.id).joined(separator: ", "))",
        advice: "'quickstep models' says what is wrong with them.")
    }
    return .ok("models", usable.map(\.id).joined(separator: ", "))
  }

  private static func data() -> Finding {
    let manager = FileManager.default
    let folders = DataLocation.candidates().filter { manager.fileExists(atPath: $0) }
    let sets = folders.flatMap { folder in
      ((try? manager.contentsOfDirectory(atPath: folder)) ?? []).filter { name in
        var isFolder: ObjCBool = false
        return !name.hasPrefix(".") && manager.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder) && isFolder.boolValue
      }
    }
    guard !sets.isEmpty else {
      return .warning(
        "data", "no data sets found; looked in \(DataLocation.candidates().joined(separator: ", "))",
        advice: "Only training and benchmarks need them: set \(DataLocation.variable) to the folder that holds emoji64 and mnist.")
    }
    return .ok("data", "\(Set(sets).sorted().joined(separator: ", ")) in \(folders.joined(separator: ", "))")
  }
}
