import Foundation
import QuickstepNN

/// α and its exceptions where a file keeps them beside its tensors: PEFT's `adapter_config.json`, diffusers' `lora_adapter_metadata`.
struct LoRASettings: Sendable {
  /// One component's settings; the prefix is that of its layers' names, empty for PEFT's own files.
  private struct Scope {
    var prefix: String
    var alpha: Double?
    var alphas: [String: Double] = [:]
    /// Of forms whose factors have none.
    var rank: Double?
    var usesRoot = false
  }

  private var scopes: [Scope] = []

  /// - Parameter path: a file or the folder it lies in. `nil` when there is no `adapter_config.json`.
  init?(beside path: String) throws {
    let folder = FileKind(path) == .folder ? path : path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let file = folder + "/adapter_config.json"
    guard FileKind(file) == .file else { return nil }
    guard let members = try JSONValue(path: file).object else { throw FormatError(file, "is not a JSON object") }
    let kind = members["peft_type"]?.string ?? "LORA"
    guard ["LORA", "LOHA", "LOKR"].contains(kind) else { throw FormatError(file, "'peft_type' is '\(kind)'; supported: LORA, LOHA, LOKR") }
    if let bias = members["bias"]?.string, bias != "none" { throw FormatError(file, "'bias' is '\(bias)'; supported: none") }
    for key in ["modules_to_save", "layer_replication", "megatron_config", "corda_config", "eva_config", "trainable_token_indices"] {
      if let value = members[key], value != .null, value != .array([]) {
        throw FormatError(file, "'\(key)' is \(String(value.text.prefix(60))), which is not supported")
      }
    }
    // PEFT calls α by another name in its other kinds, where it is a multiple of r even without a factor of that rank.
    var scope = try Self.scope("", alpha: kind == "LORA" ? "lora_alpha" : "alpha", { members[$0] }, file)
    if kind != "LORA" {
      if let ranks = members["rank_pattern"]?.object, !ranks.isEmpty {
        throw FormatError(file, "'rank_pattern' of a \(kind) is not supported")
      }
      scope.rank = members["r"]?.double
    }
    scopes = [scope]
  }

  /// - Parameter metadata: of the tensors' file; `nil` when it has no settings.
  init?(metadata: [String: String], origin: String) throws {
    guard let text = metadata["lora_adapter_metadata"] else { return nil }
    let name = origin + " (lora_adapter_metadata)"
    guard let members = try JSONValue(parsing: text, name: name).object else { throw FormatError(name, "is not a JSON object") }
    let parts = Set(members.keys.compactMap { $0.split(separator: ".").first.map(String.init) })
    scopes = try parts.sorted().map { part in try Self.scope(part + ".", alpha: "lora_alpha", { members[part + "." + $0] }, name) }
  }

  /// Ways of training that factors alone do not say, since they change the weights below them or how factors act.
  private static func checkAltering(_ prefix: String, _ member: (String) -> JSONValue?, _ file: String) throws {
    // These take out of the weights what the factors begin with; PEFT writes `true` when it has converted such a file to a plain one.
    let altering = ["pissa", "corda", "olora", "loftq", "lora_ga"]
    if let text = member("init_lora_weights")?.string?.lowercased(), altering.contains(where: { text.hasPrefix($0) }) {
      throw FormatError(
        file, "'\(prefix)init_lora_weights' is '\(text)', which changes the model's own weights; save the LoRA converted to a plain one")
    }
    for key in ["fan_in_fan_out", "use_qalora"] {
      if try flag(key, prefix, member, file) { throw FormatError(file, "'\(prefix)\(key)' is true, which is not supported") }
    }
    if let value = member("alora_invocation_tokens"), value != .null {
      throw FormatError(file, "'\(prefix)alora_invocation_tokens' is \(String(value.text.prefix(60))), which is not supported")
    }
  }

  private static func flag(_ key: String, _ prefix: String, _ member: (String) -> JSONValue?, _ file: String) throws -> Bool {
    guard let value = member(key), value != .null else { return false }
    guard let flag = value.bool else {
      throw FormatError(file, "'\(prefix)\(key)' is \(String(value.text.prefix(60))); expected true or false")
    }
    return flag
  }

  private static func scope(_ prefix: String, alpha key: String, _ member: (String) -> JSONValue?, _ file: String) throws -> Scope {
    var scope = Scope(prefix: prefix)
    if let value = member(key), value != .null {
      guard let alpha = value.double, alpha.isFinite else {
        throw FormatError(file, "'\(prefix)\(key)' is \(value.text); expected a number")
      }
      scope.alpha = alpha
    }
    try checkAltering(prefix, member, file)
    scope.usesRoot = try flag("use_rslora", prefix, member, file)
    for (pattern, value) in member("alpha_pattern")?.object ?? [:] {
      // Patterns are regular expressions on the end of a name; plain names are what is written in practice.
      let isPlain = pattern.allSatisfy { $0.isLetter || $0.isNumber || "._-".contains($0) }
      guard isPlain, let alpha = value.double else {
        throw FormatError(file, "'\(prefix)alpha_pattern' holds '\(pattern)'; only names of layers with a number are supported")
      }
      scope.alphas[pattern] = alpha
    }
    return scope
  }

  /// α/r or α/√r; `nil` when nothing is said of the layer.
  /// - Parameter rank: of the factors, where they have one.
  func scaling(_ name: String, rank: Int?) -> Double? {
    guard let scope = scopes.first(where: { name.hasPrefix($0.prefix) }) else { return nil }
    let special = scope.alphas.first { name == $0.key || name.hasSuffix("." + $0.key) }?.value
    guard let alpha = special ?? scope.alpha, let rank = rank.map(Double.init) ?? scope.rank, rank > 0 else { return nil }
    return alpha / (scope.usesRoot ? rank.squareRoot() : rank)
  }
}
