import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

/// One evaluation of every built-in network against plain PyTorch.
@Suite struct ModelParityTests {
  @Test func everyArchitectureHasFixtures() throws {
    let covered = Set(try ModelFixture.all.map { try $0.configuration().className })
    for name in ["DigitClassifier", "EmojiClassifier", "NoiseLevelClassifier", "PromptEncoder", "PromptTransformer2D", "PromptUNet2D"] {
      #expect(covered.contains(name))
    }
    #expect(ModelFixture.all.count >= 12)
  }

  @Test(arguments: ModelFixture.all)
  func forwardEqualsTheReference(_ fixture: ModelFixture) throws {
    let expected = try fixture.outputs()
    let actual = try withInference { try fixture.load().component.forward(fixture.inputs()) }
    #expect(Set(actual.keys) == Set(expected.keys))
    for (name, tensor) in expected {
      let difference = try relativeDifference(#require(actual[name]), tensor)
      #expect(difference <= 2e-4, "\(name) differs by \(difference) standard deviations")
    }
  }

  @Test(arguments: ModelFixture.all)
  func forwardIsDeterministic(_ fixture: ModelFixture) throws {
    let (component, inputs) = (try fixture.load().component, try fixture.inputs())
    let (first, second) = (try component.forward(inputs), try component.forward(inputs))
    for (name, tensor) in first { #expect(try bits(tensor) == bits(#require(second[name])), "\(name)") }
  }

  @Test("samples of a batch do not see each other", arguments: ModelFixture.all)
  func batchIndependence(_ fixture: ModelFixture) throws {
    let (component, inputs) = (try fixture.load().component, try fixture.inputs())
    let whole = try component.forward(inputs)
    let batch = try #require(whole.values.first).size(0)
    for index in 0..<batch {
      let alone = try component.forward(inputs.mapValues { $0.narrow(0, start: index, length: 1) })
      for (name, tensor) in alone {
        let row = try #require(whole[name]).narrow(0, start: index, length: 1)
        #expect(try relativeDifference(tensor, row) <= 1e-4, "\(name), sample \(index)")
      }
    }
  }

  @Test("what is masked out has no effect", arguments: ["transformer-patch8", "unet-text-patch2"])
  func padding(_ name: String) throws {
    let fixture = ModelFixture(name: name)
    let component = try fixture.load().component
    var inputs = try fixture.inputs()
    let before = try #require(component.forward(inputs)["sample"])
    let (prompt, mask) = (try #require(inputs["encoder_hidden_states"]), try #require(inputs["encoder_attention_mask"]))
    inputs["encoder_hidden_states"] = prompt + (1 - mask.to(.float32)).unsqueeze(-1) * 3
    #expect(try relativeDifference(#require(component.forward(inputs)["sample"]), before) <= 1e-6)
    inputs["encoder_hidden_states"] = prompt + 3
    #expect(try relativeDifference(#require(component.forward(inputs)["sample"]), before) > 1e-2)
  }

  @Test("a timestep for the whole batch may be one number")
  func scalarTimestep() throws {
    let fixture = ModelFixture(name: "unet-class-three-levels")
    let component = try fixture.load().component
    var inputs = try fixture.inputs()
    inputs["timestep"] = Tensor([500, 500, 500] as [Float])
    let expected = try #require(component.forward(inputs)["sample"])
    inputs["timestep"] = Tensor(scalar: Float(500))
    #expect(try relativeDifference(#require(component.forward(inputs)["sample"]), expected) <= 1e-6)
  }
}

/// Inputs that do not fit are errors that say so; none ends the process.
@Suite struct ModelInputTests {
  @Test(arguments: ModelFixture.all)
  func missingInput(_ fixture: ModelFixture) throws {
    let loaded = try fixture.load()
    let needed = try #require(loaded.architecture.inputs.first { !$0.hasSuffix("?") })
    var inputs = try fixture.inputs()
    inputs[needed] = nil
    let error = #expect(throws: ComponentError.self) { try loaded.component.forward(inputs) }
    #expect(try #require(error).description.contains("'\(needed)'"))
  }

  @Test(arguments: ModelFixture.all)
  func unknownInput(_ fixture: ModelFixture) throws {
    let component = try fixture.load().component
    var inputs = try fixture.inputs()
    inputs["guidance"] = Tensor(scalar: Float(1))
    let error = #expect(throws: ComponentError.self) { try component.forward(inputs) }
    #expect(try #require(error).description.contains("guidance"))
  }

  @Test(
    "a condition the model needs",
    arguments: [
      ("transformer-patch8", "encoder_hidden_states"), ("transformer-patch8", "pooled_projections"),
      ("unet-text-patch2", "encoder_hidden_states"), ("unet-text-patch2", "pooled_projections"), ("unet-class-one-level", "class_labels"),
    ])
  func missingCondition(_ name: String, _ input: String) throws {
    let fixture = ModelFixture(name: name)
    let component = try fixture.load().component
    var inputs = try fixture.inputs()
    inputs[input] = nil
    let error = #expect(throws: ComponentError.self) { try component.forward(inputs) }
    #expect(try #require(error).description.contains("'\(input)'"))
  }

  @Test(
    "shapes and values out of range",
    arguments: [
      ("transformer-patch8", "sample", [2, 4, 32, 32]), ("transformer-patch8", "sample", [2, 3, 32, 30]),
      ("transformer-patch8", "sample", [3, 32, 32]), ("transformer-patch8", "encoder_hidden_states", [2, 6, 25]),
      ("transformer-patch8", "encoder_attention_mask", [2, 5]), ("transformer-patch8", "timestep", [3]),
      ("unet-text-patch2", "sample", [2, 3, 16, 15]), ("unet-text-patch2", "pooled_projections", [2, 7]),
      ("unet-class-one-level", "class_labels", [5]), ("classifier-28", "pixel_values", [3, 2, 28, 28]),
      ("classifier-28", "pixel_values", [28]), ("encoder-default-mask", "input_ids", [3, 9]), ("encoder-default-mask", "input_ids", [8]),
    ])
  func wrongShape(_ name: String, _ input: String, _ shape: [Int]) throws {
    let fixture = ModelFixture(name: name)
    let component = try fixture.load().component
    var inputs = try fixture.inputs()
    inputs[input] = try #require(inputs[input]).dtype.isFloatingPoint ? .zeros(shape) : .ones(shape, dtype: .int64)
    #expect(throws: (any Error).self) { try component.forward(inputs) }
  }

  @Test func tokenBeyondTheVocabulary() throws {
    let component = try ModelFixture(name: "encoder-default-mask").load().component
    #expect(throws: (any Error).self) { try component.forward(["input_ids": Tensor([1, 50] as [Int], shape: [1, 2])]) }
    #expect(throws: (any Error).self) { try component.forward(["input_ids": Tensor([1, -1] as [Int], shape: [1, 2])]) }
  }
}
