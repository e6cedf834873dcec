import Foundation
import Nibble
import Testing

/// The types that llama.cpp's quantizer gave the tensors of synthetic models (scripts/fixtures/mixes.py).
private enum Decisions {
  struct Model: Sendable, CustomTestStringConvertible {
    var name: String
    var json: JSONValue
    var testDescription: String { name }

    func integer(_ key: String) -> Int { json[key]?.integer ?? 0 }
    func isTrue(_ key: String) -> Bool { json[key]?.bool ?? false }
    var isTied: Bool { isTrue("tied") }

    var facts: MixFacts {
      MixFacts(
        architecture: "llama", blockCount: integer("layers"), headCount: integer("heads"),
        keyValueHeadCount: integer("keyValueHeads"), expertCount: integer("experts"),
        hasTiedEmbeddings: isTied)
    }

    /// Type names by tensor name, for one file type.
    func types(_ fileType: String) -> [String: String] {
      var types: [String: String] = [:]
      for part in [json["always"], json["types"]?[fileType]] {
        guard let object = part?.object else { continue }
        for key in object.keys {
          let runs = object[key]?.string?.split(separator: " ") ?? []
          let names = runs.flatMap { run -> [String] in
            let parts = run.split(separator: "*")
            return [String](repeating: String(parts[1]), count: Int(parts[0]) ?? 0)
          }
          let isTop = ["token_embd.weight", "output.weight", "output_norm.weight"].contains(key)
          for (block, name) in names.enumerated() {
            types[isTop ? key : "blk.\(block).\(key)"] = name
          }
        }
      }
      return types
    }

    /// The tensors' shapes; only the number of dimensions and the last one matter.
    func tensors(_ names: some Sequence<String>) -> [SelectableTensor] {
      names.map { name in
        let width = integer(name.contains("ffn_down") ? "feedForward" : "width")
        let isVector = name.contains("norm") || name.hasSuffix(".bias")
        let shape = isVector ? [width] : name.contains("exps") ? [8, 2, width] : [2, width]
        return SelectableTensor(name: name, shape: shape, keptType: StoredType(.f32))
      }
    }

    func selection(_ mix: QuantizationMix) -> TypeSelection {
      var selection = TypeSelection(mix: mix)
      let options = json["options"]
      selection.isPure = options?["pure"]?.bool ?? false
      selection.outputType = type(options?["output_tensor_type"])
      selection.embeddingType = type(options?["token_embedding_type"])
      return selection
    }

    private func type(_ value: JSONValue?) -> StoredType? {
      value?.integer.flatMap { GGMLType(rawValue: UInt32($0)) }.map { StoredType($0) }
    }
  }

  static let models: [Model] = {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fixtures/mixes/decisions.json")
    guard let data = try? Data(contentsOf: url),
      let json = try? JSONValue.parse([UInt8](data)), let object = json.object
    else { return [] }
    return object.keys.map { Model(name: $0, json: object[$0] ?? .null) }
  }()
}

@Suite("Mixes")
struct MixTests {
  @Test("The fixture holds all file types of all models")
  func fixture() {
    #expect(Decisions.models.count == 17)
    for model in Decisions.models {
      #expect(model.json["types"]?.object?.count == QuantizationMix.allCases.count)
    }
  }

  @Test("Every tensor gets the type that llama-quantize gives it", arguments: Decisions.models)
  private func matchesPeer(_ model: Decisions.Model) throws {
    for mix in QuantizationMix.allCases {
      // llama-quantize ignores the output type where tied embeddings stay floats; we do as we are told.
      if mix.isFloat, model.isTied, model.selection(mix).outputType != nil { continue }
      let expected = model.types(mix.rawValue)
      let tensors = model.tensors(expected.keys.sorted())
      let decisions = try model.selection(mix).decide(tensors, model.facts)
      let differences = zip(tensors, decisions).filter { $1.type.name != expected[$0.name] }
        .map { "\(mix.name) \($0.name) \($1.type.name)" }
      #expect(differences == [])
    }
  }

  @Test("Decisions do not depend on the order of the tensors")
  func orderDoesNotMatter() throws {
    let model = try #require(Decisions.models.first)
    let tensors = model.tensors(model.types("q4_k_m").keys.sorted())
    let selection = TypeSelection(mix: .q4_k_m)
    let forward = try selection.decide(tensors, model.facts)
    let backward = try selection.decide(tensors.reversed(), model.facts)
    #expect(forward == backward.reversed())
  }

  @Test("Names and aliases of mixes")
  func names() {
    #expect(QuantizationMix(name: "Q4_K") == .q4_k_m)
    #expect(QuantizationMix(name: "q3_k") == .q3_k_m)
    #expect(QuantizationMix(name: "q5_k") == .q5_k_m)
    #expect(QuantizationMix(name: "Q2_K") == .q2_k)
    #expect(QuantizationMix(name: "iq4_XS") == .iq4_xs)
    #expect(QuantizationMix(name: "q4") == nil)
    #expect(Set(QuantizationMix.allCases.map(\.fileType)).count == QuantizationMix.allCases.count)
  }
}
