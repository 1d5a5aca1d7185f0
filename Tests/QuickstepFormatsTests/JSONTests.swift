import QuickstepFormats
import Testing

@Suite struct JSONTests {
  @Test func readsAllKinds() throws {
    let value = try JSONValue(
      parsing: " {\"a\":[1,-2.5e3,true,null,\"\\u72d0\\ud83e\\udd8a\\n\"],\"b\":{},\"c\":9223372036854775807,\"d\":1e2} ")
    #expect(value["a"]?.array == [.integer(1), .number(-2500), .bool(true), .null, .string("狐🦊\n")])
    #expect(value["c"]?.integer == .max && value["d"]?.double == 100 && value["d"]?.integer == nil)
    #expect(try JSONValue(parsing: value.text) == value)
  }

  @Test(arguments: [
    "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "-", "1e", "nul", "truex", "\"a", "\"\\x\"", "\"\\ud800\"",
    "\"\\ud800\\u0041\"", "\"\n\"", "1 2", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "[1 2]", "1e999", "// c\n1", "NaN", "'a'",
    "\u{FEFF}1",
  ])
  func refusesWhatIsNotJSON(text: String) {
    #expect(throws: FormatError.self) { try JSONValue(parsing: text) }
  }

  @Test func nestingIsLimited() throws {
    let deep = String(repeating: "[", count: 1_000_000)
    #expect(throws: FormatError.self) { try JSONValue(parsing: deep) }
    #expect(throws: FormatError.self) { try JSONValue(parsing: String(repeating: "{\"a\":", count: 200_000)) }
    #expect(throws: FormatError.self) { try JSONValue(parsing: "[[1]]", depth: 1) }
    #expect(try JSONValue(parsing: "[1]", depth: 1) == .array([.integer(1)]))
  }

  @Test func messagesNameThePlace() {
    let error = #expect(throws: FormatError.self) { try JSONValue(parsing: "{\n  \"a\": x}", name: "file.json") }
    #expect(error?.description == "file.json: JSON, line 2, column 8: not a JSON value")
  }

  @Test func invalidUTF8IsRefused() {
    let bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
    #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try JSONValue(parsing: $0, name: "x") } }
  }

  @Test func damagedTextIsReadOrRefused() throws {
    let text =
      "{\"weight_map\":{\"a.b\":\"x-1.safetensors\",\"\\u00e9\":[1.5e-3,-7,true,false,null,{\"k\":[[]]}]},\"n\":12345678901234567890}"
    try survive(Array(text.utf8), cases: 5000) { sample in
      let value = try sample.withUnsafeBytes { try JSONValue(parsing: $0, name: "x") }
      if try JSONValue(parsing: value.text) != value { throw FormatError("x", "") }
    }
  }
}
