import QuickstepFormats
import QuickstepTensor
import Testing

@Suite struct ForwardTests {
  private let place: Workplace

  init() throws {
    place = try Workplace()
    try place.writeModel("tiny")
    try place.write(["pixel_values": Tensor.ones([2, 1, 28, 28]) * 0.5], "in.safetensors")
  }

  @Test func writesWhatTheComponentReturns() throws {
    let result = try place.run(
      "forward", "tiny", "--component", "classifier", "--inputs", "in.safetensors", "--output", "sub/out.safetensors", "--repeat", "3")
    #expect(result.status == 0 && result.errors.isEmpty)
    #expect(result.output.contains("logits") && result.output.contains("2 × 2") && result.output.contains("first run"))
    let file = try SafetensorsFile(path: place.path + "/sub/out.safetensors")
    #expect(file.names == ["features", "logits"])
    let output = try file.tensor("logits")
    #expect(output.shape == [2, 2])
    let logits = try output.scalars(Float.self)
    // Both samples are equal, and so are their results.
    #expect(logits[0] == logits[2] && logits[1] == logits[3])
  }

  @Test func convertsToTheTypeAskedFor() throws {
    let result = try place.run(
      "forward", "tiny/classifier", "--inputs", "in.safetensors", "--output", "out.safetensors", "--dtype", "fp64", "--threads", "1",
      "--json")
    let json = try result.json()
    #expect(json["dtype"]?.string == "float64" && json["threads"]?.integer == 1 && json["seconds"]?.array?.count == 1)
    #expect(try SafetensorsFile(path: place.path + "/out.safetensors").tensor("logits").dtype == .float64)
  }

  @Test func componentsAreListed() throws {
    let none = try place.run("forward", "tiny", "--inputs", "in.safetensors", "--output", "o.safetensors")
    #expect(none.status == 1 && none.errors.contains("--component: classifier"))
    let wrong = try place.run("forward", "tiny", "--component", "unet", "--inputs", "in.safetensors", "--output", "o.safetensors")
    #expect(wrong.status == 1 && wrong.errors.contains("no component 'unet'") && wrong.errors.contains("classifier"))
    let other = try place.run("forward", "tiny", "--component", "scheduler", "--inputs", "in.safetensors", "--output", "o.safetensors")
    #expect(other.status == 1 && other.errors.contains("'scheduler' is no network"))
  }

  @Test func wrongInputsAreRefusedWithWhatItTakes() throws {
    try place.write(["pixels": Tensor.ones([1])], "wrong.safetensors")
    let result = try place.run("forward", "tiny/classifier", "--inputs", "wrong.safetensors", "--output", "o.safetensors")
    #expect(result.status == 1)
    #expect(result.errors.contains("lacks pixel_values and has the unknown pixels; DigitClassifier takes pixel_values"))
    let missing = try place.run("forward", "tiny/classifier", "--inputs", "none.safetensors", "--output", "o.safetensors")
    #expect(missing.status == 1 && missing.errors.contains("none.safetensors: there is no such file"))
    try place.write(["pixel_values": Tensor.ones([2, 5, 28, 28])], "shape.safetensors")
    let shape = try place.run("forward", "tiny/classifier", "--inputs", "shape.safetensors", "--output", "o.safetensors")
    #expect(shape.status == 1 && !shape.errors.isEmpty)
  }

  @Test func optionsAreChecked() throws {
    for option in [["--dtype", "int8"], ["--repeat", "0"], ["--threads", "0"]] {
      let result = try place.run(
        "forward", "tiny/classifier", "--inputs", "in.safetensors", "--output", "o.safetensors", option[0], option[1])
      #expect(result.status == 64 && result.errors.contains("allowed"), "\(option)")
    }
  }
}
