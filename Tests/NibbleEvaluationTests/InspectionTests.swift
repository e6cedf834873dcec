import Foundation
import NibbleCheckpoints
import NibbleEvaluation
import NibbleModels
import NibbleTensors
import TestSupport
import Testing

@Suite("Inspecting models")
struct InspectionTests {
  private let inspector = ModelInspector(pool: WorkerPool(threadCount: 2))
  private let grouped = Fixtures.path("models/llama-grouped")

  private func golden(_ name: String) throws -> JSONObject {
    let text = try String(contentsOfFile: Fixtures.path("inspection/\(name)"), encoding: .utf8)
    return try #require(JSONValue.parse(text).object)
  }

  @Test("Figures of each tensor equal numpy's")
  func statistics() throws {
    let expected = try golden("statistics.json")
    let inspection = try inspector.inspect(grouped)
    #expect(inspection.tensors.count == expected.count)
    for tensor in inspection.tensors {
      let found = try #require(tensor.json["statistics"])
      let figures = try #require(expected[tensor.name]?.object)
      for key in figures.keys {
        let value = try #require(figures[key])
        switch key {
        case "percentiles":
          let list = try #require(found[key]?.array).map { $0["value"]?.number }
          #expect(list == value.array?.map(\.number), "\(tensor.name)")
        case "histogram": #expect(found[key]?["counts"] == value, "\(tensor.name)")
        case "outlier_columns":
          let columns = (tensor.statistics?.outlierColumns ?? []).map(\.column).sorted()
          #expect(columns == value.array?.compactMap(\.integer), "\(tensor.name)")
        case "row_norms", "column_norms":
          for end in ["minimum", "median", "maximum"] {
            let norm = try #require(value[end]?.number)
            #expect(agree(found[key]?[end]?.number, norm), "\(tensor.name) \(key) \(end)")
          }
        default:
          #expect(agree(found[key]?.number, try #require(value.number)), "\(tensor.name) \(key)")
        }
      }
    }
  }

  @Test("Parameters, bytes, roles and blocks add up")
  func sizes() throws {
    let inspection = try inspector.inspect(grouped)
    let config = try #require(inspection.config)
    #expect(inspection.architecture == "llama")
    #expect(inspection.types.map(\.parameterCount).reduce(0, +) == inspection.parameterCount)
    #expect(inspection.roles.map(\.byteCount).reduce(0, +) == inspection.byteCount)
    #expect(inspection.bitsPerWeight == 16)
    #expect(inspection.roles.first { $0.name == "query" }?.tensorCount == config.blockCount)
    #expect(inspection.blocks.map(\.block) == Array(0..<config.blockCount))
    #expect(!inspection.roles.contains { $0.name == "other" })
    let all = inspection.roleStatistics.reduce(0) { $0 + $1.moments.count }
    #expect(all == inspection.parameterCount)
  }

  @Test("Memory follows the formulas")
  func memory() throws {
    var options = ModelInspector.Options()
    options.contextCount = 100
    let inspection = try inspector.inspect(grouped, options: options)
    let cache = try #require(inspection.cache)
    // 2 blocks, 2 key-value heads of 8 features.
    #expect(cache.elementCountPerPosition == 2 * 2 * 2 * 8)
    #expect(cache.byteCount(bytesPerElement: 2) == 64 * 100 * 2)
    #expect(try inspector.inspect(grouped).cache?.contextCount == 512)
    let vectors = 5 * 32
    let matrices = inspection.parameterCount - vectors
    let bytes = Dictionary(
      uniqueKeysWithValues: inspection.memory.map { ($0.precision, $0.byteCount) })
    #expect(bytes[.stored] == 2 * (matrices + vectors))
    #expect(bytes[.float32] == 4 * (matrices + vectors))
    #expect(bytes[.float16] == 2 * (matrices + vectors))
    #expect(bytes[.int8] == matrices / 32 * 34 + 4 * vectors)
    #expect(bytes[.int4] == matrices / 32 * 18 + 4 * vectors)
  }

  @Test("Figures are the same for any number of threads")
  func threads() throws {
    let folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
    let texts = try [1, 2, 5].map { count in
      try ModelInspector(pool: WorkerPool(threadCount: count)).inspect(folder.path("model"))
        .json.text()
    }
    #expect(texts[0] == texts[1])
    #expect(texts[0] == texts[2])
  }

  @Test("Every type is listed; those that decode have figures")
  func types() throws {
    let path = Fixtures.path("checkpoints/dtypes.safetensors")
    let inspection = try inspector.inspect(path)
    #expect(inspection.config == nil)
    #expect(inspection.cache == nil)
    #expect(inspection.tensors.count == 24)
    #expect(inspection.tensors.allSatisfy { $0.role == .other })
    #expect(!inspection.notes.isEmpty)
    for tensor in inspection.tensors {
      let decodes = ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I8", "I16", "I32", "I64"]
      if !decodes.contains(tensor.type) { #expect(tensor.statistics == nil, "\(tensor.name)") }
    }
    let empty = try #require(inspection.tensors.first { $0.name == "empty" })
    #expect(empty.parameterCount == 0)
    #expect(empty.statistics == nil)
    #expect(inspection.tensors.first { $0.name == "scalar" }?.statistics?.moments.count == 1)
    #expect(ReportPage(inspection).html.contains("fnuz5"))
  }

  @Test(
    "An unknown architecture or a broken configuration leaves the tensors",
    arguments: [
      (#"{"architectures":["GPT2LMHeadModel"],"model_type":"gpt2"}"#, "GPT2LMHeadModel" as String?),
      ("{", nil),
    ])
  func unknownArchitecture(_ config: String, _ name: String?) throws {
    let folder = try TemporaryFolder()
    try Data(config.utf8).write(to: URL(filePath: folder.path("config.json")))
    try TestCheckpoint.write(
      [
        TestCheckpoint.Tensor("h.0.attn.c_attn.weight", [2, 2], [1, 2, 3, 4]),
        TestCheckpoint.Tensor("h.1.attn.c_attn.weight", [2, 2], [1, 2, 3, 5]),
      ], to: folder.path("model.safetensors"))
    let inspection = try inspector.inspect(folder.url.path)
    #expect(inspection.architecture == name)
    #expect(inspection.config == nil)
    #expect(inspection.tensors.map(\.block) == [0, 1])
    #expect(inspection.blocks.map(\.maximum) == [4, 5])
    #expect(inspection.roles.map(\.name) == ["other"])
    #expect(inspection.notes.contains { $0.contains("without roles") })
  }

  @Test("NaN and infinities are counted and named, the rest is measured")
  func nonFinite() throws {
    let folder = try TemporaryFolder()
    let values: [Float] = [1, -2, .nan, 0, .infinity, 3, -.infinity, 0]
    try TestCheckpoint.write(
      [
        TestCheckpoint.Tensor("some", [2, 4], values),
        TestCheckpoint.Tensor("all", [1, 2], [.nan, .nan]),
      ], to: folder.path("a.safetensors"))
    let inspection = try inspector.inspect(folder.path("a.safetensors"))
    let some = try #require(inspection.tensors.first { $0.name == "some" }?.statistics)
    #expect(some.notANumberCount == 1)
    #expect(some.infinityCount == 2)
    #expect(some.moments.count == 5)
    #expect(some.minimum == -2)
    #expect(some.maximum == 3)
    #expect(agree(some.moments.mean, 0.4))
    #expect(some.zeroShare == 0.4)
    #expect(some.percentiles[4] == 0)
    #expect(some.firstNonFinite?.row == 0)
    #expect(some.firstNonFinite?.column == 2)
    let all = try #require(inspection.tensors.first { $0.name == "all" }?.statistics)
    #expect(all.moments.count == 0)
    #expect(all.moments.excessKurtosis == nil)
    #expect(inspection.notes.contains { $0.contains("some holds 1 NaN and 2 infinite values") })
    #expect(ReportPage(inspection).html.contains("some holds 1 NaN"))
  }

  @Test("A column that stands out is found, by magnitude and by norm")
  func outliers() throws {
    let folder = try TemporaryFolder()
    var random = RandomSource(seed: 11)
    var values = (0..<64 * 96).map { _ in Float(random.gaussian()) }
    for row in 0..<64 { values[row * 96 + 17] *= 9 }
    values[5 * 96 + 40] = 60
    try TestCheckpoint.write(
      [TestCheckpoint.Tensor("w", [64, 96], values)], to: folder.path("a.safetensors"))
    let tensor = try #require(inspector.inspect(folder.path("a.safetensors")).outlierTensors.first)
    let columns = try #require(tensor.statistics?.outlierColumns)
    #expect(Set(columns.map(\.column)) == [17, 40])
    #expect(columns[0].ratio >= columns[1].ratio)
    let loud = try #require(columns.first { $0.column == 17 })
    #expect((6...12).contains(loud.normRatio))
    #expect(try #require(columns.first { $0.column == 40 }).largestMagnitude == 60)
  }

  @Test("One tensor alone, and none of an unknown name")
  func oneTensor() throws {
    var options = ModelInspector.Options()
    options.tensor = "model.norm.weight"
    let inspection = try inspector.inspect(grouped, options: options)
    #expect(inspection.tensors.filter { $0.statistics != nil }.map(\.name) == ["model.norm.weight"])
    options.tensor = "nothing"
    #expect(throws: ModelError.self) { try inspector.inspect(grouped, options: options) }
    #expect(throws: CheckpointError.self) { try inspector.inspect("/nowhere") }
  }

  @Test("A cancelled inspection stops")
  func cancelled() {
    let flag = CancellationFlag()
    flag.cancel()
    let inspector = ModelInspector(pool: WorkerPool(threadCount: 1), cancellation: flag)
    #expect(throws: JobCancelled.self) { try inspector.inspect(grouped) }
  }
}
