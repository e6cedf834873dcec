import Foundation
import Nibble
import NibbleTensors
import TestSupport
import Testing

/// Journals that do not fit the run, or that the disk has changed.
@Suite("Journals that cannot be taken")
struct JournalDamageTests {
  @Test("Another type, effort, method, text or model: the journal is discarded, with a note")
  func otherPlan() throws {
    var job = try InterruptedQuantization("llama-grouped", "q4_0", output: "out.gguf")
    let model = job.folder.path("model")
    try FileManager.default.copyItem(atPath: job.source, toPath: model)
    job.source = model
    #expect(try job.runUntil(blocks: 1) != nil)
    let kept = try #require(job.journalFiles())
    let changes: [(String, (inout InterruptedQuantization) throws -> Void)] = [
      ("types", { $0.selection = TypeSelection(mix: .q4_1) }),
      ("types", { $0.selection.outputType = .plain(.float16) }),
      ("effort, settings", { $0.calibration.effort = .fast }),
      ("method", { $0.calibration.method = .imatrix }),
      ("text", { $0.calibration.windows.limit = 5 }),
      ("text", { $0.calibration.windows.seed = 3 }),
      ("text", { $0.calibration.text = InterruptedQuantization.letters(seed: 6) }),
      (
        "model",
        {
          try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1e9)],
            ofItemAtPath: $0.source + "/model.safetensors")
        }
      ),
      (
        "model",
        { job in
          let url = URL(filePath: job.source + "/config.json")
          let text = try String(contentsOf: url, encoding: .utf8)
          try text.replacingOccurrences(of: "1e-05", with: "1e-06")
            .write(to: url, atomically: true, encoding: .utf8)
        }
      ),
    ]
    for (name, change) in changes {
      var other = job
      try change(&other)
      _ = try other.run()
      let expected = try other.outputFiles()
      try other.write(kept)
      let report = try other.run()
      #expect(
        report.notes.contains(
          "the work of an interrupted run was discarded: it had another \(name)"),
        "\(name): \(report.notes)")
      #expect(report.calibration?.resumedBlockCount == 0)
      #expect(try other.outputFiles() == expected)
      #expect(other.journalFiles() == nil)
    }
  }

  @Test(
    "The same types arranged otherwise are others: arrays of one version of GPTQ are not taken for the other"
  )
  func otherArrangement() throws {
    var job = try InterruptedQuantization("llama-grouped", "int4-g32-sym", output: "out")
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 128
    job.source = job.folder.path("model")
    try model.write(to: job.source)
    job.format = .gptqV2
    _ = try job.run()
    let expected = try job.outputFiles()
    job.removeOutput()
    job.format = .gptq
    #expect(try job.runUntil(blocks: 1) != nil)
    job.format = .gptqV2
    let report = try job.run()
    #expect(
      report.notes.contains("the work of an interrupted run was discarded: it had another types"))
    #expect(report.calibration?.resumedBlockCount == 0)
    #expect(try job.outputFiles() == expected)
    // Within one arrangement a run goes on.
    job.removeOutput()
    #expect(try job.runUntil(blocks: 1) != nil)
    #expect(try job.run().calibration?.resumedBlockCount == 1)
    #expect(try job.outputFiles() == expected)
  }

  @Test("Without resuming, the journal is discarded and nothing is said")
  func startingAgain() throws {
    var job = try InterruptedQuantization("llama-grouped", "q4_0", output: "out.gguf")
    _ = try job.run()
    let expected = try job.outputFiles()
    #expect(try job.runUntil(blocks: 1) != nil)
    job.calibration.isResuming = false
    let report = try job.run()
    #expect(report.calibration?.resumedBlockCount == 0)
    #expect(!report.notes.contains { $0.contains("interrupted") })
    #expect(try job.outputFiles() == expected)
    #expect(job.journalFiles() == nil)
  }

  /// Changes to a file of the journal; nil removes it.
  private static func damages(_ whole: Data) -> [(String, Data?)] {
    var random = RandomSource(seed: 11)
    let count = whole.count
    // The file ends with the record's byte count, its hash and a signature.
    let recordCount = whole[(count - 24)...].withUnsafeBytes {
      Int($0.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
    }
    let recordStart = count - 24 - recordCount
    func flipped(_ index: Int) -> Data {
      var data = whole
      data[index] ^= 1 << UInt8(random.next() >> 61)
      return data
    }
    return [
      ("gone", nil), ("empty", Data()), ("one byte", whole.prefix(1)),
      ("half", whole.prefix(count / 2)), ("without its last byte", whole.dropLast()),
      ("longer", whole + [0]), ("zeros", Data(count: count)),
      ("the first byte", flipped(0)), ("the last array", flipped(recordStart - 1)),
      ("arrays", flipped(Int(random.next() >> 1) % recordStart)),
      ("the record's first byte", flipped(recordStart)),
      ("record", flipped(recordStart + Int(random.next() >> 1) % recordCount)),
      ("the record's byte count", flipped(count - 24)),
      ("the high byte of the record's byte count", flipped(count - 17)),
      ("the record's hash", flipped(count - 12)), ("signature", flipped(count - 1)),
    ]
  }

  @Test(
    "A damaged file of a block: the run goes on before it and gives the same bytes",
    arguments: [("llama-grouped", "out.gguf", "q4_0"), ("mixtral", "out", "int4-g8-asym")])
  func damagedBlock(_ model: String, _ output: String, _ type: String) throws {
    var job = try InterruptedQuantization(model, type, output: output)
    job.calibration.effort = .fast
    _ = try job.run()
    let expected = try job.outputFiles()
    job.removeOutput()
    #expect(try job.runUntil(blocks: 2) != nil)
    let kept = try #require(job.journalFiles())
    for block in 0..<2 {
      let name = "block-\(block)"
      let whole = try #require(kept[name])
      for (damage, data) in Self.damages(whole) {
        var files = kept
        files[name] = data
        try job.write(files)
        let report = try job.run()
        #expect(report.calibration?.resumedBlockCount == block, "\(name) \(damage)")
        let isLast = block == 1 && data == nil
        #expect(
          report.notes.contains {
            $0 == "the journal's file of block \(block) is missing or damaged:"
              + " the run goes on from there"
          } != isLast, "\(name) \(damage): \(report.notes)")
        #expect(try job.outputFiles() == expected, "\(name) \(damage)")
        job.removeOutput()
      }
    }
    // Whole files in each other's places.
    var files = kept
    files["block-0"] = kept["block-1"]
    files["block-1"] = kept["block-0"]
    try job.write(files)
    #expect(try job.run().calibration?.resumedBlockCount == 0)
    #expect(try job.outputFiles() == expected)
  }

  @Test("A damaged plan: everything is run again")
  func damagedPlan() throws {
    var job = try InterruptedQuantization("llama-grouped", "q4_0", output: "out.gguf")
    job.calibration.effort = .fast
    _ = try job.run()
    let expected = try job.outputFiles()
    #expect(try job.runUntil(blocks: 1) != nil)
    let kept = try #require(job.journalFiles())
    let plan = try #require(kept["plan.json"])
    for data in [nil, Data(), plan.prefix(20), Data("[1]".utf8), Data([0xFF])] {
      var files = kept
      files["plan.json"] = data
      try job.write(files)
      let report = try job.run()
      #expect(report.calibration?.resumedBlockCount == 0)
      #expect(
        report.notes.contains(
          "the work of an interrupted run was discarded: its plan is missing or damaged"))
      #expect(try job.outputFiles() == expected)
    }
  }

  @Test("Files that are not the journal's own stay; a file in its place is refused")
  func strangers() throws {
    var job = try InterruptedQuantization("llama-grouped", "q4_0", output: "out.gguf")
    job.calibration.effort = .fast
    try job.write(["notes.txt": Data("mine".utf8), ".block-0.1.1.nibble-partial": Data()])
    _ = try job.run()
    #expect(job.journalFiles()?.keys.sorted() == ["notes.txt"])
    try FileManager.default.removeItem(atPath: job.journal)
    try Data("mine".utf8).write(to: URL(filePath: job.journal))
    #expect(throws: FileError.self) { _ = try job.run() }
    #expect(try Data(contentsOf: URL(filePath: job.journal)) == Data("mine".utf8))
  }
}
