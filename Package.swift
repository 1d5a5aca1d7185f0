// swift-tools-version: 6.1
import Foundation
import PackageDescription

// Each target imports only those below it (see Docs/Architecture.md). libtorch is placed by Scripts/setup.sh; its headers
// and libraries reach the C++ target through the generated libtorch.pc, its run-time path is given to executables and tests only.

let features: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let libraryPath = Context.packageDirectory + "/.libtorch/lib"
let runPath: [LinkerSetting] = [
  .unsafeFlags(["-Xlinker", "-rpath=\(libraryPath)", "-Xlinker", "-rpath=$ORIGIN/../lib/quickstep"])
]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: features)
}

// Fixtures are read by path, so that they need not be copied into every test bundle.
func fixtures(_ name: String) -> [String] {
  FileManager.default.fileExists(atPath: Context.packageDirectory + "/Tests/\(name)Tests/Fixtures") ? ["Fixtures"] : []
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.init(stringLiteral: name), "QuickstepTesting"] + dependencies, exclude: fixtures(name),
    resources: resources, swiftSettings: features, linkerSettings: runPath)
}

let package = Package(
  name: "quickstep",
  products: [
    .executable(name: "quickstep", targets: ["quickstep"]),
    .library(name: "QuickstepTensor", targets: ["QuickstepTensor"]),
    .library(name: "QuickstepNN", targets: ["QuickstepNN"]),
    .library(name: "QuickstepFormats", targets: ["QuickstepFormats"]),
    .library(name: "QuickstepTokenizers", targets: ["QuickstepTokenizers"]),
    .library(name: "QuickstepModels", targets: ["QuickstepModels"]),
    .library(name: "QuickstepDiffusion", targets: ["QuickstepDiffusion"]),
    .library(name: "QuickstepAcceleration", targets: ["QuickstepAcceleration"]),
    .library(name: "QuickstepEvaluation", targets: ["QuickstepEvaluation"]),
    .library(name: "QuickstepTraining", targets: ["QuickstepTraining"]),
    .library(name: "QuickstepPipelines", targets: ["QuickstepPipelines"]),
    .library(name: "QuickstepTuner", targets: ["QuickstepTuner"]),
    .library(name: "QuickstepTesting", targets: ["QuickstepTesting"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    // C and C++
    .systemLibrary(name: "CLibTorch", pkgConfig: "libtorch"),
    .systemLibrary(name: "CLibPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(name: "CTorch", dependencies: ["CLibTorch"]),
    .target(name: "CKernels", cxxSettings: [.define("NDEBUG")]),
    .target(name: "CPNG", dependencies: ["CLibPNG"]),
    // Swift, from the ground up
    library("QuickstepTensor", ["CTorch"]),
    library("QuickstepNN", ["QuickstepTensor", "CKernels"]),
    library("QuickstepTokenizers"),
    library("QuickstepFormats", ["QuickstepTensor", "QuickstepNN", "CPNG"]),
    library("QuickstepModels", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats"]),
    library("QuickstepDiffusion", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "CKernels"]),
    library("QuickstepAcceleration", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepDiffusion"]),
    library(
      "QuickstepEvaluation",
      ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepTokenizers", "QuickstepModels", "QuickstepDiffusion"]),
    library(
      "QuickstepPipelines",
      [
        "QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepTokenizers", "QuickstepModels", "QuickstepDiffusion",
        "QuickstepAcceleration",
      ]),
    library(
      "QuickstepTraining",
      [
        "QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepTokenizers", "QuickstepModels", "QuickstepDiffusion",
        "QuickstepAcceleration", "QuickstepPipelines", "QuickstepEvaluation",
      ]),
    library(
      "QuickstepTuner",
      [
        "QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepModels", "QuickstepDiffusion", "QuickstepAcceleration",
        "QuickstepEvaluation", "QuickstepPipelines", .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    library("QuickstepTesting", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepDiffusion", "QuickstepAcceleration"]),
    .executableTarget(
      name: "quickstep",
      dependencies: [
        "QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepTokenizers", "QuickstepModels", "QuickstepDiffusion",
        "QuickstepAcceleration", "QuickstepEvaluation", "QuickstepTraining", "QuickstepPipelines",
        "QuickstepTuner", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: features, linkerSettings: runPath),
    // Tests
    tests("QuickstepTensor"),
    tests("QuickstepNN", ["QuickstepTensor", "QuickstepFormats", "QuickstepModels", "CKernels"]),
    tests("QuickstepTokenizers"),
    tests("QuickstepFormats", ["QuickstepTensor", "QuickstepNN"]),
    tests("QuickstepModels", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepTokenizers"]),
    tests("QuickstepDiffusion", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "CKernels"]),
    tests("QuickstepAcceleration", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepModels", "QuickstepDiffusion"]),
    tests("QuickstepEvaluation", ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepModels", "QuickstepDiffusion"]),
    tests(
      "QuickstepTraining",
      [
        "QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepModels", "QuickstepDiffusion", "QuickstepAcceleration",
        "QuickstepPipelines",
      ]),
    tests(
      "QuickstepPipelines",
      ["QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepModels", "QuickstepDiffusion", "QuickstepAcceleration"]),
    tests(
      "QuickstepTuner",
      [
        "QuickstepTensor", "QuickstepNN", "QuickstepFormats", "QuickstepDiffusion", "QuickstepAcceleration", "QuickstepEvaluation",
        "QuickstepPipelines", .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["quickstep", "QuickstepTesting", "QuickstepFormats", "QuickstepTensor", "QuickstepNN", "QuickstepModels"],
      swiftSettings: features, linkerSettings: runPath),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)
