import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

@Suite struct PreparedConditionTests {
  @Test("what is made of a condition beforehand changes no bit, and stacks", arguments: ModelFixture.backbones)
  func sameNumbers(_ fixture: ModelFixture) throws {
    let model = try BackboneFixture(fixture.name)
    func run(_ conditioning: Conditioning, _ sample: Tensor, _ timestep: Tensor) throws -> Tensor {
      try withTensorErrors { try model.backbone(sample, timestep: timestep, conditioning: conditioning, evaluation: .plain) }
    }
    let (sample, condition) = (model.sample, model.conditioning)
    let side = (height: sample.size(2), width: sample.size(3))
    let prepared = try withTensorErrors { model.backbone.prepared(condition, sampleSide: side) }
    #expect(try bits(run(prepared, sample, model.timestep)) == bits(run(condition, sample, model.timestep)))
    // What is made of one batch or of two halves may round differently; with a condition that was not prepared, all is made anew.
    let (twice, times) = try withTensorErrors { (Tensor.cat([sample, sample]), Tensor.cat([model.timestep, model.timestep])) }
    let anew = try run(.stacked([condition, condition]), twice, times)
    #expect(try relativeDifference(run(.stacked([prepared, prepared]), twice, times), anew) < 1e-5)
    #expect(try bits(run(.stacked([prepared, condition]), twice, times)) == bits(anew))
    #expect(Conditioning.stacked([condition, prepared]).prepared.isEmpty)
  }
}
