internal import Foundation
public import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// Measures how important each input of each layer is and writes the importance matrix that llama.cpp reads.
public struct CalibrateJob: Sendable {
  /// A Hugging Face folder or a `.gguf` file.
  public var source: String
  /// The file to write.
  public var output: String
  /// What to run through the model; nil takes the text that comes with Nibble.
  public var text: CalibrationText?
  public var windows = CalibrationWindows()
  /// Bytes of hidden states that are kept in memory; nil = a share of the machine's.
  public var memoryLimit: Int?
  /// Whether an output of another kind may be replaced.
  public var replacesAnyFile = false

  public init(source: String, output: String) {
    self.source = source
    self.output = output
  }

  /// Runs the text and writes the file; nothing stands under `output` before it is whole.
  ///
  /// - Throws: `CheckpointError`, `ModelError` or `FileError` for the files, `JobCancelled`.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> CalibrateReport {
    try requireWritableFile(output, source: source, signature: "GGUF", replacing: replacesAnyFile)
    let model = try LanguageModel(path: source, products: .float)
    var notes = model.source.notes
    if text == nil {
      notes.append(CalibrationText.builtInNote)
    }
    let text = text ?? .builtIn
    let windows = try windows.cut(text, for: model)
    var options = CalibrationPass.Options()
    if let memoryLimit { options.memoryLimit = memoryLimit }
    options.spillFolder = URL(filePath: output).deletingLastPathComponent().path
    var collector = ImportanceCollector(model.source)
    let summary = try CalibrationPass(model: model, windows: windows, options: options)
      .run(environment) { statistics in
        collector.add(statistics)
        return [:]
      }
    let matrix = ImportanceMatrix(
      entries: collector.entries, datasets: [text.name], windowCount: windows.count,
      windowTokenCount: self.windows.tokenCount)
    try matrix.write(to: output)
    if windows.count < self.windows.limit {
      notes.append(
        "the text gave \(windows.count) windows of \(self.windows.tokenCount) tokens, not \(self.windows.limit)"
      )
    }
    return CalibrateReport(
      output: output, entryCount: matrix.entries.count, summary: summary,
      starvedExperts: StarvedExpert.find(summary.expertTokenCounts),
      peakMemoryByteCount: peakMemoryByteCount(), notes: notes)
  }
}

/// An expert that saw too little text for its statistics to mean much.
public struct StarvedExpert: Sendable, Equatable {
  /// The block's index.
  public var block: Int
  /// The expert's index.
  public var expert: Int
  public var tokenCount: Int

  /// Fewer tokens than this say little about an expert.
  static let leastTokenCount = 64

  /// The experts that saw fewer than ``leastTokenCount`` tokens, in order.
  static func find(_ counts: [Int: [Int]]) -> [StarvedExpert] {
    counts.sorted { $0.key < $1.key }.flatMap { block, counts in
      counts.enumerated().filter { $0.element < leastTokenCount }.map {
        StarvedExpert(block: block, expert: $0.offset, tokenCount: $0.element)
      }
    }
  }
}

/// What a calibration measured.
public struct CalibrateReport: Sendable {
  /// The path that was written.
  public var output: String
  /// Tensors that the file has importance for.
  public var entryCount: Int
  public var summary: CalibrationSummary
  /// Experts that saw too little text.
  public var starvedExperts: [StarvedExpert]
  /// The most memory that the process had resident.
  public var peakMemoryByteCount: Int
  /// What the user should know.
  public var notes: [String]

  /// The report as one JSON object.
  public var json: JSONValue {
    [
      "output": .string(output),
      "seconds": .number(summary.seconds),
      "tensors": .integer(Int64(entryCount)),
      "layers": .integer(Int64(summary.layerCount)),
      "windows": .integer(Int64(summary.windowCount)),
      "tokens": .integer(Int64(summary.tokenCount)),
      "peak_memory_bytes": .integer(Int64(peakMemoryByteCount)),
      "kept_bytes": .integer(Int64(summary.keptByteCount)),
      "spilled_bytes": .integer(Int64(summary.spilledByteCount)),
      "starved_experts": .array(
        starvedExperts.map {
          [
            "block": .integer(Int64($0.block)), "expert": .integer(Int64($0.expert)),
            "tokens": .integer(Int64($0.tokenCount)),
          ]
        }),
      "notes": .array(notes.map { .string($0) }),
    ]
  }
}
