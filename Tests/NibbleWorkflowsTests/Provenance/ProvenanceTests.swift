import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Provenance")
struct ProvenanceTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  private func example() throws -> Provenance {
    let hash = String(repeating: "0a", count: 32)
    var provenance = Provenance(
      version: "1.2", source: .init(path: "a/b c", format: "gguf", tensorCount: 7, hash: hash),
      recipe: .convert(ConvertRecipe(format: .mlx)))
    provenance.calibration = CalibrationSource(
      kind: .text, name: "t", path: "../t.txt", hash: hash)
    provenance.numerics = "scalar"
    provenance.tensors.total = 3
    provenance.tensors.near = 1
    var earlier = provenance
    earlier.calibration = nil
    earlier.numerics = nil
    provenance.history = [earlier, earlier]
    return provenance
  }

  private func read(_ name: String) throws -> Provenance {
    try #require(try Provenance.read(Checkpoint.open(folder.path(name))))
  }

  private func quantize(
    _ output: String, _ selection: TypeSelection, _ change: (inout QuantizeJob) -> Void = { _ in }
  ) throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path(output), selection: selection)
    change(&job)
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
  }

  @Test("JSON holds all of it")
  func roundTrip() throws {
    let provenance = try example()
    let found = try Provenance(json: JSONValue.parse(provenance.json.text(.indented(2))))
    #expect(found == provenance)
  }

  @Test("What is broken or of another version is refused, with the member's name")
  func hostile() throws {
    let json = try #require(try example().json.object)
    for (key, value, word) in [
      ("provenance", 2, "version 2"), ("provenance", nil, "provenance"),
      ("provenance", "1", "provenance"), ("version", nil, "version"), ("version", 1, "version"),
      ("source", nil, "source"), ("source", [:], "path"), ("source", [], "source"),
      ("source", ["path": "a", "format": "b", "tensors": 1, "sha256": "xyz"], "sha256"),
      ("source", ["path": "a", "format": "b", "tensors": -1, "sha256": "xyz"], "tensors"),
      ("recipe", nil, "recipe"), ("recipe", "q4_0", "recipe"),
      ("calibration", "text", "calibration"),
      ("calibration", ["kind": "rumour", "name": "n"], "rumour"), ("numerics", 1, "numerics"),
      ("tensors", nil, "tensor counts"), ("tensors", ["total": 1], "quantized"),
      ("history", 1, "history"), ("history", [1], "provenance"),
      ("history", [.object(json)], "history"),
      ("history", .array(Array(repeating: 1, count: 17)), "history"),
    ] as [(String, JSONValue?, String)] {
      var broken = json
      broken[key] = value
      let error = #expect(throws: CheckpointError.self, "\(key)") {
        try Provenance(json: .object(broken))
      }
      #expect(
        error.map { $0.message.contains(word) } ?? false, "\(key) \(String(describing: error))")
    }
    #expect(throws: CheckpointError.self) { try Provenance(json: "text") }
  }

  /// Computed with Python's hashlib as the documentation says.
  @Test("The hash of weights is that of another implementation, in any number of threads")
  func weightHash() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("models/llama-grouped"))
    for count in [1, 3] {
      let hash = try WeightHash(checkpoint, JobEnvironment(threadCount: count))
      #expect(hash.total == "b65ad8ec50ccd99e73f67addc77026bf400dd9062ea66083f7aaebae701a6a6f")
      let first = hash.tensors.first { $0.name == "model.embed_tokens.weight" }
      #expect(first?.hash == "72a0ead41b119c10d746dec8b49fa72dfd2350396cc166caf7574794ae28d183")
    }
  }

  @Test("GGUF files say it in keys, folders in a file, single files in their metadata")
  func stored() throws {
    let scheme = try #require(Scheme(name: "int4-g32-sym"))
    try quantize("a.gguf", TypeSelection(mix: .q4_0))
    try quantize("b", TypeSelection(scheme: scheme))
    try quantize("c", TypeSelection(scheme: scheme)) { $0.format = .gptq }
    try quantize("d.safetensors", TypeSelection(scheme: scheme))
    let source = try WeightHash(Checkpoint.open(folder.path("model")))
    for (name, format) in [
      ("a.gguf", OutputFormat.gguf), ("b", .safetensors), ("c", .gptq),
      ("d.safetensors", .safetensors),
    ] {
      let provenance = try read(name)
      #expect(provenance.version == NibbleVersion.current)
      #expect(provenance.source.path == folder.path("model"))
      #expect(provenance.source.hash == source.total)
      #expect(provenance.source.tensorCount == source.tensors.count)
      #expect(provenance.recipe.format == format)
      #expect(provenance.calibration == nil && provenance.numerics == nil)
      #expect(provenance.tensors.quantized >= 14)
      #expect(provenance.history.isEmpty)
    }
    let checkpoint = try Checkpoint.open(folder.path("a.gguf"))
    #expect(checkpoint.metadata["nibble.version"] == .string(NibbleVersion.current))
    #expect(checkpoint.metadata["nibble.provenance"]?.string?.hasPrefix("{") == true)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("c"))
    #expect(names.contains("nibble.json"))
  }

  @Test(
    "A conversion remembers how its source was made; nothing else of the source's is taken over")
  func history() throws {
    try quantize("a", TypeSelection(scheme: try #require(Scheme(name: "int4-g32-sym")))) {
      $0.format = .gptq
    }
    var convert = ConvertJob(
      source: folder.path("a"), output: folder.path("b.gguf"), format: .gguf)
    _ = try convert.run(JobEnvironment(threadCount: 2))
    convert = ConvertJob(source: folder.path("b.gguf"), output: folder.path("c"), format: .mlx)
    _ = try convert.run(JobEnvironment(threadCount: 2))
    let provenance = try read("c")
    #expect(provenance.recipe.format == .mlx)
    #expect(provenance.history.map(\.recipe.format) == [.gguf, .gptq])
    #expect(provenance.quantization?.format == .gptq)
    #expect(provenance.tensors.exact == 14)
    #expect(
      provenance.source.hash == (try WeightHash(Checkpoint.open(folder.path("b.gguf"))).total))
  }

  @Test("A copy of a GGUF file is the same file; without provenance there is none")
  func copies() throws {
    try quantize("a.gguf", TypeSelection(mix: .q8_0))
    try quantize("b.gguf", TypeSelection(mix: .q8_0)) { $0.recordsProvenance = false }
    #expect(try Provenance.read(Checkpoint.open(folder.path("b.gguf"))) == nil)
    for name in ["a", "b"] {
      let job = QuantizeJob(
        source: folder.path("\(name).gguf"), output: folder.path("\(name)-copy.gguf"),
        selection: TypeSelection(mix: .q8_0))
      _ = try job.run(JobEnvironment(threadCount: 2))
      #expect(
        try Data(contentsOf: URL(filePath: folder.path("\(name)-copy.gguf")))
          == Data(contentsOf: URL(filePath: folder.path("\(name).gguf"))))
    }
  }

  @Test("Keys and files of another kind than Nibble writes are refused by name")
  func brokenFiles() throws {
    try quantize("a", TypeSelection(scheme: try #require(Scheme(name: "int4-g32-sym"))))
    for (text, word) in [
      ("[]", "nibble.json"), ("{\"version\":1}", "version"), ("{\"provenance\":[]}", "provenance"),
      ("{\"provenance\":{}}", "provenance"), ("{", "JSON"),
    ] {
      try Data(text.utf8).write(to: URL(filePath: folder.path("a/nibble.json")))
      let error = #expect(throws: CheckpointError.self, "\(text)") {
        _ = try Provenance.read(Checkpoint.open(folder.path("a")))
      }
      #expect(error.map { "\($0)".contains(word) } ?? false, "\(String(describing: error))")
    }
    try Data("{}".utf8).write(to: URL(filePath: folder.path("a/nibble.json")))
    #expect(try Provenance.read(Checkpoint.open(folder.path("a"))) == nil)

    var metadata = Metadata()
    metadata["nibble.provenance"] = .uint32(3)
    try GGUFWriter(path: folder.path("b.gguf"), metadata: metadata, plans: []).finish()
    #expect(throws: CheckpointError.self) {
      try Provenance.read(Checkpoint.open(folder.path("b.gguf")))
    }
  }

  @Test("The calibration's text is known by its content, not by its name")
  func calibration() throws {
    func source(_ documents: [CalibrationText.Document]) throws -> String {
      var job = QuantizeJob(
        source: folder.path("model"), output: folder.path("c.gguf"),
        selection: TypeSelection(mix: .q4_0))
      var calibration = CalibratedQuantization()
      calibration.text = CalibrationText(name: "t", documents: documents)
      calibration.windows.tokenCount = 16
      calibration.windows.limit = 2
      calibration.effort = .fast
      job.calibration = calibration
      _ = try job.run(JobEnvironment(threadCount: 2))
      let provenance = try read("c.gguf")
      #expect(provenance.calibration?.kind == .text)
      #expect(provenance.numerics != nil)
      return try #require(provenance.calibration?.hash)
    }
    let long = String(repeating: "four score and seven years ago ", count: 8)
    let first = try source([.text(long)])
    #expect(try source([.text(long)]) == first)
    #expect(try source([.text(long), .text("x")]) != first)
  }
}
