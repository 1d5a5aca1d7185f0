import Foundation
import QuickstepNN
import Testing

/// Parameters of methods: parsing, ranges, and their form in JSON.
@Suite struct DeclarationTests {
  private static let declaration = MethodDeclaration(
    name: "toy+1", family: .grid, summary: "A toy.", points: [.grid, .operator, .block], reads: ["state"], changes: ["denoised"],
    needs: ["U-Net skips"], state: "one tensor",
    parameters: [
      ParameterDeclaration(name: "eta", summary: "Noise.", domain: .number(0...5), standard: .number(1), neutral: .number(0)),
      ParameterDeclaration(name: "order", summary: "Order.", domain: .integer(1...3), standard: .integer(2)),
      ParameterDeclaration(name: "clip", summary: "Clips.", domain: .flag, standard: .flag(true), neutral: .flag(false)),
      ParameterDeclaration(name: "kind", summary: "Kind.", domain: .choice(["a", "b", "3"]), standard: .choice("3")),
    ], exactness: .approximate, reference: "none")

  private func values(_ texts: [String: String]) throws -> ParameterValues { try ParameterValues(texts, for: Self.declaration) }

  @Test func standardsHoldWhereNothingIsGiven() throws {
    let standard = try values([:])
    #expect(standard.number("eta") == 1 && standard.integer("order") == 2 && standard.flag("clip") && standard.choice("kind") == "3")
  }

  @Test func givenTextsAreRead() throws {
    let given = try values(["eta": "2.5e-1", "order": "3", "clip": "OFF", "kind": "b"])
    #expect(given.number("eta") == 0.25 && given.number("order") == 3 && !given.flag("clip") && given.choice("kind") == "b")
    #expect(try values(["eta": "0"]).number("eta") == 0 && values(["eta": "5"]).number("eta") == 5, "bounds are allowed")
    #expect(given.number("kind").isNaN && given.integer("eta") == nil && !given.flag("eta") && given.choice("eta") == nil)
  }

  @Test(
    "texts outside the domain are refused with the parameter, the text and what is allowed",
    arguments: [
      ("eta", "-0.001", "0.0…5.0"), ("eta", "5.0001", "0.0…5.0"), ("eta", "nan", "0.0…5.0"), ("eta", "inf", "0.0…5.0"),
      ("eta", "", "0.0…5.0"),
      ("eta", "one", "0.0…5.0"), ("order", "0", "1…3"), ("order", "4", "1…3"), ("order", "2.0", "1…3"),
      ("order", "99999999999999999999", "1…3"),
      ("clip", "maybe", "true or false"), ("kind", "A", "one of a, b, 3"), ("kind", "", "one of a, b, 3"),
    ])
  func refused(_ name: String, _ text: String, _ allowed: String) throws {
    let error = #expect(throws: ParameterError.self) { try values([name: text]) }
    #expect(try #require(error).description == "parameter '\(name)' is '\(text)'; allowed: \(allowed)")
  }

  @Test func unknownNamesAreRefusedWithTheKnownOnes() throws {
    let error = #expect(throws: ParameterError.self) { try values(["eta": "1", "etta": "1"]) }
    let message = try #require(error).description
    #expect(message.contains("grid 'toy+1' has no parameter 'etta'") && message.contains("eta, order, clip, kind"))
    var bare = Self.declaration
    bare.parameters = []
    let other = #expect(throws: ParameterError.self) { try ParameterValues(["x": "1"], for: bare) }
    #expect(try #require(other).description.contains("it has none"))
  }

  @Test func valuesWithoutEffectAreRefused() throws {
    var declaration = Self.declaration
    declaration.parameters[1].condition = .init("kind", ["a", "b"])
    let error = #expect(throws: ParameterError.self) { try ParameterValues(["order": "3"], for: declaration) }
    #expect(try #require(error).description == "grid 'toy+1': 'order' has no effect with kind=3; it needs kind=a or kind=b")
    #expect(try ParameterValues(["order": "3", "kind": "b"], for: declaration).integer("order") == 3)
    #expect(try ParameterValues(["order": "2"], for: declaration).integer("order") == 2, "what holds anyway may be said")
    let copy = try JSONDecoder().decode(MethodDeclaration.self, from: JSONEncoder().encode(declaration))
    #expect(copy.parameters[1].condition == declaration.parameters[1].condition && copy.parameters[0].condition == nil)
  }

  @Test func declarationsSurviveJSON() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let data = try encoder.encode(Self.declaration)
    let copy = try JSONDecoder().decode(MethodDeclaration.self, from: data)
    #expect(String(reflecting: copy) == String(reflecting: Self.declaration))
    #expect(try encoder.encode(copy) == data)
    // A whole number is written without a fraction; a real parameter's value has to come back as real.
    #expect(copy.parameters[0].standard == .number(1) && copy.parameters[0].neutral == .number(0))
    #expect(copy.parameters[3].standard == .choice("3"))
  }

  @Test func valuesSurviveJSON() throws {
    let given = try values(["eta": "0.25", "order": "3", "clip": "no", "kind": "a"])
    #expect(try JSONDecoder().decode(ParameterValues.self, from: JSONEncoder().encode(given)) == given)
    let whole = try JSONDecoder().decode(ParameterValues.self, from: JSONEncoder().encode(values(["eta": "2"])))
    #expect(whole.number("eta") == 2)
  }

  @Test(arguments: ["[3, 1]", "\"x\"", "{\"number\": {\"_0\": [5, 1]}}"])
  func damagedDomainsAreErrors(_ text: String) {
    #expect(throws: (any Error).self) { try JSONDecoder().decode(ParameterDeclaration.Domain.self, from: Data(text.utf8)) }
  }

  @Test func pointsAndFamiliesAreWrittenAsWords() throws {
    #expect(String(decoding: try JSONEncoder().encode([Point.operator, .call]), as: UTF8.self) == "[\"operator\",\"call\"]")
    #expect(throws: (any Error).self) { try JSONDecoder().decode([Point].self, from: Data("[\"nowhere\"]".utf8)) }
    #expect(try JSONDecoder().decode([Family].self, from: Data("[\"cache\"]".utf8)) == [Family("cache")])
  }

  @Test func noiseLevelsKnowTheirLogarithm() {
    #expect(abs(NoiseLevel(timestep: 0, alpha: 0.8, sigma: 0.6).lambda - 0.28768207245178085) < 1e-15)
    #expect(NoiseLevel(timestep: 0, alpha: 1, sigma: 0).lambda == .infinity)
    #expect(NoiseLevel(timestep: 0, alpha: 0, sigma: 1).lambda == -.infinity)
  }
}
