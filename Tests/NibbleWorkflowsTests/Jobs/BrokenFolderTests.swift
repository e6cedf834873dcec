import Foundation
import Nibble
import TestSupport
import Testing

/// What is said of folders that are broken, format by format, and that a conversion leaves nothing behind.
@Suite("Broken folders of each format")
struct BrokenFolderTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 128
    try model.write(to: folder.path("model"))
  }

  /// A format with a scheme that it holds, and two lies about it: texts of its configuration and others in their place.
  struct Sample: Sendable, CustomTestStringConvertible {
    var format: OutputFormat
    var scheme: String
    var bits: (from: String, to: String)?
    var groups: (from: String, to: String)?

    var testDescription: String { "\(format.rawValue) \(scheme)" }
  }

  private static let samples: [Sample] = [
    Sample(
      format: .gptq, scheme: "int4-g32-sym", bits: ("\"bits\": 4", "\"bits\": 8"),
      groups: ("\"group_size\": 32", "\"group_size\": 64")),
    Sample(
      format: .gptqV2, scheme: "int4-g32-asym", bits: ("\"bits\": 4", "\"bits\": 3"),
      groups: ("\"group_size\": 32", "\"group_size\": 16")),
    Sample(
      format: .awq, scheme: "int4-g32-asym", bits: ("\"bits\": 4", "\"bits\": 8"),
      groups: ("\"group_size\": 32", "\"group_size\": 64")),
    Sample(
      format: .compressedTensors, scheme: "int4-g32-sym",
      bits: ("\"num_bits\": 4", "\"num_bits\": 8"),
      groups: ("\"group_size\": 32", "\"group_size\": 64")),
    Sample(
      format: .mlx, scheme: "int4-g32-min", bits: ("\"bits\": 4", "\"bits\": 8"),
      groups: ("\"group_size\": 32", "\"group_size\": 64")),
    Sample(format: .bitsandbytes, scheme: "nf4-g64"),
    Sample(format: .bitsandbytes, scheme: "int8-row-sym-f32"),
    Sample(format: .nibble, scheme: "int4-g64-asym"),
  ]

  private func write(_ sample: Sample) throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path("broken"),
      selection: TypeSelection(scheme: try #require(Scheme(name: sample.scheme))))
    job.format = sample.format
    job.isVerifying = false
    _ = try job.run(JobEnvironment(threadCount: 2))
  }

  /// Expects that opening and converting the folder fail with an error of one line that holds one of some words, and that
  /// nothing is left behind.
  private func expectRefusal(
    _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    for output in ["out", "out.gguf"] {
      let job = ConvertJob(
        source: folder.path("broken"), output: folder.path(output),
        format: output == "out" ? .nibble : .gguf)
      var text = ""
      do {
        _ = try job.run(JobEnvironment(threadCount: 2))
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
      } catch {
        text = "\(error)"
      }
      #expect(words.contains { text.contains($0) }, "\(text)", sourceLocation: sourceLocation)
      #expect(!text.contains { $0.isNewline }, sourceLocation: sourceLocation)
    }
    let after = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    #expect(before == after, sourceLocation: sourceLocation)
  }

  private func edit(_ name: String, _ from: String, _ to: String) throws {
    let path = folder.path("broken/" + name)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.contains(from), "\(text)")
    try text.replacingOccurrences(of: from, with: to)
      .write(toFile: path, atomically: true, encoding: .utf8)
  }

  @Test("A file that was cut short", arguments: samples)
  func cutShort(_ sample: Sample) throws {
    try write(sample)
    let path = folder.path("broken/model.safetensors")
    let bytes = try Data(contentsOf: URL(filePath: path))
    try bytes.prefix(bytes.count - 40).write(to: URL(filePath: path))
    try expectRefusal(["model.safetensors"])
  }

  @Test("A configuration that announces other bits, or other groups", arguments: samples)
  func contradictions(_ sample: Sample) throws {
    for change in [sample.bits, sample.groups] {
      guard let change else { continue }
      try? FileManager.default.removeItem(atPath: folder.path("broken"))
      try write(sample)
      try? FileManager.default.removeItem(atPath: folder.path("broken/quantize_config.json"))
      try? FileManager.default.removeItem(atPath: folder.path("broken/quant_config.json"))
      try edit("config.json", change.from, change.to)
      try expectRefusal(["model.layers.", "config.json"])
    }
  }

  @Test("A shard that is missing", arguments: samples)
  func missingShard(_ sample: Sample) throws {
    try write(sample)
    try FileManager.default.moveItem(
      atPath: folder.path("broken/model.safetensors"),
      toPath: folder.path("broken/model-00001-of-00002.safetensors"))
    let index =
      #"{"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#
    try index.write(
      toFile: folder.path("broken/model.safetensors.index.json"), atomically: true, encoding: .utf8)
    try expectRefusal(["model-00002-of-00002.safetensors"])
  }

  @Test("An array that is missing", arguments: samples)
  func missingArray(_ sample: Sample) throws {
    try write(sample)
    // Another name of as many letters, so that the header stays as long as it is.
    let path = folder.path("broken/model.safetensors")
    var bytes = try Data(contentsOf: URL(filePath: path))
    let name =
      switch (sample.format, sample.scheme) {
      case (.bitsandbytes, "nf4-g64"): "layers.0.mlp.up_proj.weight.absmax\""
      case (.bitsandbytes, _): "layers.0.mlp.up_proj.SCB\""
      case (.compressedTensors, _): "layers.0.mlp.up_proj.weight_scale\""
      case (.nibble, _): "layers.0.mlp.up_proj.weight.scales\""
      default: "layers.0.mlp.up_proj.scales\""
      }
    let place = try #require(bytes.range(of: Data(name.utf8)))
    bytes[place.upperBound - 2] = UInt8(ascii: "?")
    try bytes.write(to: URL(filePath: path))
    try expectRefusal(["mlp.up_proj"])
  }

  @Test("The version of a symmetric GPTQ folder is seen in its zero points, whatever it announces")
  func zeroPoints() throws {
    func values() throws -> [String: [Float]] {
      var values: [String: [Float]] = [:]
      for record in try Checkpoint.open(folder.path("broken")).tensors where record.type.isQuantized
      {
        values[record.name] = try record.quantizedTensor().dequantized()
      }
      return values
    }
    for (format, from, to) in [
      (OutputFormat.gptq, "\"gptq\"", "\"gptq_v2\""), (.gptqV2, "\"gptq_v2\"", "\"gptq\""),
    ] {
      try? FileManager.default.removeItem(atPath: folder.path("broken"))
      try write(Sample(format: format, scheme: "int4-g32-sym"))
      let right = try values()
      try? FileManager.default.removeItem(atPath: folder.path("broken/quantize_config.json"))
      try edit("config.json", "\"checkpoint_format\": \(from)", "\"checkpoint_format\": \(to)")
      let checkpoint = try Checkpoint.open(folder.path("broken"))
      #expect(checkpoint.notes.contains { $0.contains("as which it is read") })
      #expect(try values() == right)
    }
  }
}
