import Foundation
import Nibble
import TestSupport
import Testing

/// Quantizing with text that was interrupted and is started again.
@Suite("Going on after an interruption")
struct ResumedQuantizeTests {
  struct Case: Sendable, CustomStringConvertible {
    var model: String
    var type: String
    var output: String
    var method = CalibratedQuantization.Method.gptq
    var effort = CalibratedQuantization.Effort.normal

    var description: String { "\(model) \(type) \(output) \(method) \(effort)" }

    func job() throws -> InterruptedQuantization {
      var job = try InterruptedQuantization(model, type, output: output)
      job.calibration.method = method
      job.calibration.effort = effort
      return job
    }

    /// Dense models and mixtures, one stream and two, replacing and observing, files and folders.
    static let all = [
      Case(model: "llama-grouped", type: "q4_0", output: "out.gguf"),
      Case(model: "llama-grouped", type: "q4_0", output: "out.gguf", effort: .fast),
      Case(model: "llama-grouped", type: "q4_0", output: "out.gguf", method: .imatrix),
      Case(model: "gemma2", type: "int3-g8-asym", output: "out", effort: .fast),
      Case(model: "gpt2", type: "nf4-g16", output: "out"),
      Case(model: "phi3-partial", type: "int4-row-sym", output: "out.safetensors"),
      Case(model: "mixtral", type: "q4_0", output: "out.gguf"),
      Case(model: "mixtral", type: "iq4_nl", output: "out.gguf", effort: .fast),
      Case(model: "qwen3-moe-fused", type: "int4-g8-asym", output: "out"),
      Case(model: "qwen3-moe", type: "kmeans3-row", output: "out.safetensors", method: .imatrix),
    ]
  }

  private func isSame(_ first: TransferReport, _ second: TransferReport) -> Bool {
    guard let one = first.calibration, let two = second.calibration else { return false }
    return one.layers.map(\.name) == two.layers.map(\.name)
      && one.layers.map(\.expert) == two.layers.map(\.expert)
      && one.layers.map(\.report) == two.layers.map(\.report)
      && one.summary.expertTokenCounts == two.summary.expertTokenCounts
      && first.tensors.map(\.relativeError) == second.tensors.map(\.relativeError)
  }

  @Test("Stopped after each block in turn: the same bytes and the same report", arguments: Case.all)
  func everyBlock(_ test: Case) throws {
    let job = try test.job()
    let whole = try job.run()
    let expected = try job.outputFiles()
    #expect(whole.calibration?.resumedBlockCount == 0)
    #expect(job.journalFiles() == nil)
    job.removeOutput()

    let blockCount = try LanguageModel(path: job.source).config.blockCount
    for count in 1...blockCount {
      let stop = try #require(try job.runUntil(blocks: count, threads: count))
      #expect(
        stop.description
          == "stopped after \(count) of \(blockCount) blocks; the same command goes on from there")
      #expect(try job.outputFiles().isEmpty)
      let names = (0..<count).map { "block-\($0)" } + ["plan.json"]
      #expect(job.journalFiles()?.keys.sorted() == names)
      let kept = job.journalFiles() ?? [:]

      let resumed = try job.run(threads: 4 - count)
      #expect(resumed.isVerified == true, "\(resumed.failures)")
      #expect(resumed.calibration?.resumedBlockCount == count)
      #expect(
        resumed.notes.contains(
          "\(count) of \(blockCount) blocks were taken from an interrupted run"))
      #expect(isSame(whole, resumed))
      #expect(try job.outputFiles() == expected)
      #expect(job.journalFiles() == nil)
      job.removeOutput()
      try job.write(kept)
    }
  }

  @Test("Stopped within blocks: what was begun is done again", arguments: Case.all)
  func withinBlocks(_ test: Case) throws {
    let job = try test.job()
    _ = try job.run()
    let expected = try job.outputFiles()
    job.removeOutput()
    for block in 0..<2 {
      let stop = try job.runIntoBlock(block)
      if stop != nil {
        #expect(try job.outputFiles().isEmpty)
        // Without a finished block there is nothing to keep.
        #expect((job.journalFiles() == nil) == (stop?.keptWork == nil))
        #expect(job.journalFiles()?.keys.allSatisfy { !$0.hasPrefix(".") } ?? true)
      }
      _ = try job.run()
      #expect(try job.outputFiles() == expected)
      #expect(job.journalFiles() == nil)
      job.removeOutput()
    }
  }

  @Test("Several batches, hidden states in a file or in memory: a run goes on with either")
  func memoryLimit() throws {
    var job = try Case.all[6].job()
    // More than the 2048 tokens of a batch.
    job.calibration.windows.limit = 40
    _ = try job.run()
    let expected = try job.outputFiles()
    job.calibration.memoryLimit = 0
    #expect(try job.runUntil(blocks: 1) != nil)
    job.calibration.memoryLimit = nil
    let resumed = try job.run()
    #expect(resumed.calibration?.resumedBlockCount == 1)
    #expect(try job.outputFiles() == expected)
  }

  @Test("A run from an importance matrix, and one that fails at once, leave no journal")
  func noJournal() throws {
    var job = try Case.all[2].job()
    var calibrate = CalibrateJob(source: job.source, output: job.folder.path("importance.gguf"))
    calibrate.text = job.calibration.text
    calibrate.windows = job.calibration.windows
    _ = try calibrate.run()
    job.calibration.importance = try ImportanceMatrix.read(calibrate.output)
    _ = try job.run()
    #expect(job.journalFiles() == nil)

    job.calibration.importance = nil
    job.calibration.windows.tokenCount = 5000
    #expect(throws: ModelError.self) { _ = try job.run() }
    #expect(job.journalFiles() == nil)
  }

  @Test("Two processes cannot make the same output at a time")
  func lock() throws {
    let job = try Case.all[1].job()
    #expect(try job.runUntil(blocks: 1) != nil)
    let descriptor = open(job.journal, O_RDONLY | O_DIRECTORY)
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    #expect {
      _ = try job.run()
    } throws: {
      "\($0)" == "\(job.output): another process is making this output"
    }
    close(descriptor)
    #expect(try job.run().calibration?.resumedBlockCount == 1)
  }
}
